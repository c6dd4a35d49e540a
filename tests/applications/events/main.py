import os
from http.server import BaseHTTPRequestHandler, HTTPServer

from models import Site
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

engine = create_engine(os.environ["EVENTS_DSN"])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        with Session(engine) as session:
            session.add(Site(host="example.com"))
            session.commit()
            rows = session.scalar(select(func.count()).select_from(Site))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f'{{"rows": {rows}}}'.encode())


if __name__ == "__main__":
    HTTPServer(("", 8000), Handler).serve_forever()
