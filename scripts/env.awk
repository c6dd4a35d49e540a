# Reads .env as Compose and scripts/core/env_file.py do. What one of them would read differently is a fault.
#   awk -v assigned="NAME NAME..." -f scripts/env.awk      env_NAME='value' for each of these settings, for a shell's eval;
#                                                          the last line of a setting counts
#   ... -v lines="NAME NAME..."                            env_lines='the lines of these settings, with their quotes'
#   awk -v required="NAME..." -v faults=1 -f scripts/env.awk   every fault, one a line
# Run it with LC_ALL=C, because it looks at bytes. Faults never show a value: a broken line may be half a password.
function fault(line, text) { if (faults) print ".env line " line ": " text }

function is_utf8(text) {
    gsub(/[\302-\337][\200-\277]/, "", text)
    gsub(/\340[\240-\277][\200-\277]|[\341-\354\356\357][\200-\277][\200-\277]|\355[\200-\237][\200-\277]/, "", text)
    gsub(/\360[\220-\277][\200-\277][\200-\277]|[\361-\363][\200-\277][\200-\277][\200-\277]/, "", text)
    gsub(/\364[\200-\217][\200-\277][\200-\277]/, "", text)
    return text !~ /[\200-\377]/
}

# The position of the quote that ends the value, or 0.
function closing(text,   at, letter) {
    for (at = 1; at <= length(text); at++) {
        letter = substr(text, at, 1)
        if (letter == "\\") at++
        else if (letter == quote) return at
    }
    return 0
}

function for_shell(text,   count, parts, i, out) {
    count = split(text, parts, q)
    for (i = 1; i <= count; i++) out = out (i > 1 ? q "\\" q q : "") parts[i]
    return q out q
}

function keep(value) {
    values[key] = value
    sources[key] = source
    first[key] = opened
}

function plain(value,   comment) {
    comment = index(value, " #")
    if (comment) value = substr(value, 1, comment - 1)
    sub(/[ \t]+$/, "", value)
    if (value ~ /^#|\t#/) fault(opened, "has a # that may begin a comment: put the value in quotes")
    else if (index(value, "$")) fault(opened, dollar)
    else if (value ~ blank) fault(opened, "has a blank that is no space: put the value in quotes")
    else keep(value)
}

function quoted(value,   at, letter, out) {
    for (at = 1; at <= length(value); at++) {
        letter = substr(value, at, 1)
        if (letter == "\\" && quote == q) {
            if (substr(value, at + 1, 1) == "\\") { fault(opened, backslash); return }
            if (substr(value, at + 1, 1) == q) letter = substr(value, ++at, 1)
        } else if (letter == "\\") {
            letter = substr(value, ++at, 1)
            if (!(letter in escapes)) { fault(opened, backslash); return }
            letter = escapes[letter]
        } else if (letter == "$" && quote == "\"") { fault(opened, dollar); return }
        out = out letter
    }
    keep(out)
}

BEGIN {
    q = "\047"
    escapes["\\"] = "\\"; escapes["\""] = "\""; escapes["n"] = "\n"; escapes["r"] = "\r"; escapes["t"] = "\t"
    dollar = "has a $ outside of single quotes"
    backslash = "has a backslash that is read in two ways"
    control = "has a control character"
    # NO-BREAK SPACE and the other blanks of Unicode.
    blank = "\302[\205\240]|\341\232\200|\342\200[\200-\212\250\251\257]|\342\201\237|\343\200\200"
}
NR == 1 { sub(/^\357\273\277/, "") }
{ carriage = sub(/\r$/, "") }
!is_utf8($0) { fault(NR, "is not UTF-8 text"); broken = opened; if (!opened) next }
/[\001-\010\013-\037\177]/ { fault(NR, control); broken = opened; if (!opened) next }
!opened && /^[ \t]*(#|$)/ { next }
!opened && (!/^[ \t]*(export[ \t]+)?[A-Za-z_][A-Za-z0-9_]*[ \t]*=/ || /^[ \t]*export[ \t]*=/) {
    fault(NR, "is not NAME=value")
    next
}
{
    if (!opened) {
        opened = NR
        key = $0
        sub(/^[ \t]*(export[ \t]+)?/, "", key)
        text = source = key
        sub(/[ \t]*=.*/, "", key)
        sub(/^[^=]*=[ \t]*/, "", text)
        source = key "=" text
        seen[key] = NR
        quote = substr(text, 1, 1)
        if (quote != q && quote != "\"") { plain(text); opened = 0; next }
        text = substr(text, 2)
    } else {
        text = text "\n" $0
        source = ""
    }
    end = closing(text)
    if (!end) {
        if (carriage && !broken) fault(opened, control)
        if (carriage) broken = 1
        next
    }
    if (substr(text, end + 1) !~ /^[ \t]*(#.*)?$/) fault(opened, "has text after its closing quote")
    else if (!broken) quoted(substr(text, 1, end - 1))
    opened = broken = 0
}
END {
    if (opened) fault(opened, "opens a quote that is never closed")
    count = split(assigned, wanted)
    for (i = 1; i <= count; i++) print "env_" wanted[i] "=" for_shell(values[wanted[i]])
    count = split(lines, wanted)
    for (i = 1; i <= count; i++) if (sources[wanted[i]] != "") found = found "\n" sources[wanted[i]]
    if (count) print "env_lines=" for_shell(substr(found, 2))
    count = split(required, wanted)
    for (i = 1; i <= count; i++)
        if (ENVIRON[wanted[i]] != "") continue
        else if (!(wanted[i] in seen)) print ".env: " wanted[i] " is missing"
        else if ((wanted[i] in values) && values[wanted[i]] == "") fault(first[wanted[i]], wanted[i] " is empty")
    port = ENVIRON["DB_PORT"]
    if (port == "") port = values["DB_PORT"]
    if (faults && port != "" && (port !~ /^[0-9]+$/ || port + 0 < 1 || port + 0 > 65535))
        print ".env: DB_PORT is not a number from 1 to 65535"
}
