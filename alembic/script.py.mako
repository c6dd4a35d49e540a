<%!
def literal(text):
    """Any message as the text of a docstring: it must neither end the string nor escape anything in it."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if c.isprintable() or c == "\n" else f"\\U{ord(c):08x}" for c in text)
%>\
"""${message | n,literal}

Revision: ${up_revision}
Revises: ${", ".join(down_revision) if isinstance(down_revision, tuple) else down_revision or "nothing"}
Created: ${create_date}
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
