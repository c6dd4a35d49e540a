# Prints every fault of .env, one a line: awk -v required="NAME NAME..." -f env_faults.awk .env
# It never prints a value: a broken line may be half of a password.
function fault(line, text) { print ".env line " line ": " text }

# A quoted value ends at the closing quote, which may be on a later line.
function ends(text) { gsub(/\\./, "", text); return index(text, quote) > 0 }

BEGIN { q = "\047" }
{ sub(/\r$/, "") }
quote { if (ends($0)) quote = ""; next }
/^[ \t]*(#|$)/ { next }
!/^[ \t]*(export[ \t]+)?[A-Za-z_][A-Za-z0-9_]*=/ { fault(NR, "is not NAME=value"); next }
{
    name = value = $0
    sub(/=.*/, "", name); sub(/^[ \t]*(export[ \t]+)?/, "", name)
    sub(/^[^=]*=[ \t]*/, "", value); sub(/^#.*/, "", value)
    quote = substr(value, 1, 1)
    if (quote != q && quote != "\"") quote = ""
    else if (ends(substr(value, 2))) quote = ""
    lines[name] = opened = NR
    empty[name] = value == "" || value == "\"\"" || value == q q
}
END {
    if (quote) fault(opened, "opens a quote that is never closed")
    count = split(required, names)
    for (i = 1; i <= count; i++)
        if (ENVIRON[names[i]] != "") continue
        else if (!(names[i] in lines)) print ".env: " names[i] " is missing"
        else if (empty[names[i]]) fault(lines[names[i]], names[i] " is empty")
}
