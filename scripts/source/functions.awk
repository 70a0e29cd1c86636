# SPDX-License-Identifier: GPL-2.0-only
# functions.awk -v names="A B" -v out=FILE FILE.c: FILE.c without these functions,
# which go to FILE
#
# A function begins at the left margin with its comment, if no blank line is
# between them, and ends with a line "}", or the EXPORT_SYMBOL() after it.  A
# comment of one line that begins with "/***" is a heading.

function flush_held()
{
	if (held != "")
		dropping = 0
	printf "%s", held
	held = head = ""
}

# name_of TEXT: what is in front of the first parenthesis
function name_of(text)
{
	if (!match(text, /[A-Za-z_][A-Za-z_0-9]*[ \t]*\(/))
		return ""
	text = substr(text, RSTART, RLENGTH - 1)
	sub(/[ \t]+$/, "", text)
	return text
}

BEGIN {
	printf "" >out
	for (i = split(names, list, " "); i; i--)
		want[list[i]] = 1
}

in_body {
	held = held $0 "\n"
	if (!/^}/)
		next
	in_body = 0
	if (name in want) {
		printf "%s%s", (n++ ? "\n" : ""), held >out
		taken = name
		dropping = 1
		held = head = ""
	} else {
		flush_held()
	}
	next
}

in_comment {
	held = held $0 "\n"
	in_comment = !/\*\//
	next
}

taken != "" {
	if (/^EXPORT_SYMBOL/ && $0 ~ "[(]" taken "[,)]") {
		print >out
		taken = ""
		next
	}
	taken = ""
}

/^$/ {
	flush_held()
	if (!dropping)
		print
	next
}

/^\/\*\*\*|^#/ {
	flush_held()
	dropping = 0
	print
	next
}

/^\/\*/ {
	if (head != "")
		flush_held()
	held = held $0 "\n"
	in_comment = !/\*\//
	next
}

/^{/ && name_of(head) != "" {
	name = name_of(head)
	held = held $0 "\n"
	in_body = 1
	next
}

{
	held = held $0 "\n"
	head = head $0 " "
	if (/^}|;[ \t]*$/)
		flush_held()
}

END { flush_held() }
