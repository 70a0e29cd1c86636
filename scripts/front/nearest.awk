# SPDX-License-Identifier: GPL-2.0-only
# nearest.awk -v word=WORD: of the names on standard input, up to three that are most
# like it: one letter in three may be another.  A name may be given without what is before its colon.

function smallest(a, b, c) {
	return a < b ? (a < c ? a : c) : (b < c ? b : c)
}

# distance: how many letters must be changed, put in or taken out (Levenshtein, 1965);
# a part of the name is nearer than any change
function distance(name,    i, j, left, above, row) {
	if (length(word) > 2 && index(name, word))
		return 0
	for (j = 0; j <= length(name); j++)
		row[j] = j
	for (i = 1; i <= length(word); i++) {
		left = i
		for (j = 1; j <= length(name); j++) {
			above = smallest(row[j] + 1, left + 1, row[j - 1] + \
				(substr(word, i, 1) != substr(name, j, 1)))
			row[j - 1] = left
			left = above
		}
		row[j - 1] = left
	}
	return row[length(name)]
}

{
	short = $0
	sub(".*:", "", short)
	of[NR] = distance(short)
	whole = distance($0)
	if (whole < of[NR])
		of[NR] = whole
	name[NR] = $0
}

END {
	for (d = 0; d <= (length(word) + 1) / 3; d++)
		for (i = 1; i <= NR; i++)
			if (of[i] == d && count++ < 3)
				printf "%s%s", (count == 1 ? "" : " "), name[i]
}
