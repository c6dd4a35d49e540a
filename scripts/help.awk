# Prints the menu of a Makefile: "## Section" lines, and "target: ## text  (options)" lines in three columns.
BEGIN { colour = !("NO_COLOR" in ENVIRON) && system("test -t 1") == 0 }
/^## / { printf "\n%s\n", paint(1, substr($0, 4)) }
/^[a-z-]+:.*## / {
    target = text = options = $0
    sub(/:.*/, "", target)
    sub(/^[^#]*## /, "", text)
    sub(/  +\(.*/, "", text)
    if (!sub(/.*  +\(/, "(", options)) options = ""
    printf "  make %s %-62s %s\n", paint(36, sprintf("%-14s", target)), text, options
}
END { print "" }
function paint(code, text) { return colour ? sprintf("\033[%dm%s\033[0m", code, text) : text }
