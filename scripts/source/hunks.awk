# SPDX-License-Identifier: GPL-2.0-only
# hunks.awk -v tree=DIR PATCH WHAT-PATCH-PRINTED: the hunks that were applied in
# another function than the one that their @@ line names, of C files that are in
# DIR as they were before

# as git does it: a line at the left margin, of which 80 characters are in @@
function begins_function(line)
{
	return line ~ /^[A-Za-z_$]/
}

function is_label(line)
{
	return line ~ /^[A-Za-z_0-9]+:/
}

# name_of LINE: what is in front of the parenthesis, or all of the line
function name_of(line)
{
	line = substr(line, 1, 80)
	if (match(line, /[A-Za-z_][A-Za-z_0-9]*[ \t]*\(/))
		line = substr(line, RSTART, RLENGTH - 1)
	sub(/[ \t]+$/, "", line)
	return line
}

# length_of RANGE: the lines of "-1,2", of which there is one in "-1"
function length_of(range)
{
	return split(range, part, ",") > 1 ? part[2] : 1
}

# place FILE LINE LABELS: the function that is in front of a line
function place(file, line, labels,    text, found, i)
{
	found = ""
	for (i = 1; i < line && (getline text <file) > 0; i++)
		if (begins_function(text) && (labels || !is_label(text)))
			found = text
	close(file)
	return name_of(found)
}

NR == FNR {
	if (/^\+\+\+ /) {
		file = $2
		sub(/^[^\/]*\//, "", file)
		n = longer = 0
	} else if (/^@@ /) {
		# what patch prints is the line in the new file
		earlier[file, ++n] = longer
		longer += length_of($3) - length_of($2)
		sub(/^@@ [^@]*@@ ?/, "")
		made_for[file, n] = $0
	}
	next
}

/^patching file / { file = $3 }

/^Hunk #[0-9]+ succeeded/ && file ~ /\.[ch]$/ {
	n = substr($2, 2)
	want = made_for[file, n]
	found = place(tree "/" file, $5 - earlier[file, n], is_label(want))
	if (found != name_of(want))
		printf "%s hunk %d is in %s, and its @@ line names %s\n", file, n,
			found == "" ? "no function" : found, want == "" ? "none" : name_of(want)
}
