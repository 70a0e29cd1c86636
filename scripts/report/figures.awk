# SPDX-License-Identifier: GPL-2.0-only
# figures.awk: how tables show numbers; functions for the programs that follow it

function commas(n,    s) {
	s = sprintf("%.0f", n)
	while (match(s, /^[0-9]+[0-9][0-9][0-9]/))
		s = substr(s, 1, RLENGTH - 3) "," substr(s, RLENGTH - 2)
	return s
}

function size_of(bytes) {
	if (bytes >= 1073741824 && bytes % 1073741824 == 0)
		return bytes / 1073741824 " GiB"
	if (bytes >= 1048576 && bytes % 1048576 == 0)
		return bytes / 1048576 " MiB"
	if (bytes >= 1024 && bytes % 1024 == 0)
		return bytes / 1024 " KiB"
	return bytes " B"
}
