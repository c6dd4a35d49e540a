# Prints the lines of scripts/doctor.sh as scripts/doctor.py does. With json=1 they are one JSON document.
function quoted(text) {
    gsub(/\\/, "\\\\", text)
    gsub(/"/, "\\\"", text)
    return "\"" text "\""
}
BEGIN { sign["well"] = "✓"; sign["wrong"] = "✗"; sign["not checked"] = "-"; if (json) printf "{\"format\": 1, \"checks\": [" }
json {
    printf "%s\n  {\"id\": %s, \"state\": %s, \"line\": %s, \"cure\": %s}", comma, quoted($1), quoted($2), quoted($3), quoted($4)
    comma = ","
}
!json { printf "%s %-20s  %s%s%s\n", sign[$2], $1, ($2 == "not checked" ? "not checked: " : "") $3, ($4 ? "  Do: " : ""), $4 }
END { if (json) print "\n]}" }
