# SPDX-License-Identifier: GPL-2.0-only
# figures.jq: what collect.jq and tables.jq share

# size: bytes, for people
def size:
	if . >= 1073741824 and . % 1073741824 == 0 then "\(. / 1073741824) GiB"
	elif . >= 1048576 and . % 1048576 == 0 then "\(. / 1048576) MiB"
	elif . >= 1024 and . % 1024 == 0 then "\(. / 1024) KiB"
	else "\(.) B" end;

# firsts: without what is there again
def firsts: reduce .[] as $x ({ seen: {}, list: [] }; ($x | tojson) as $k |
	if .seen[$k] then . else .seen[$k] = true | .list += [$x] end) | .list;

# in_order: keys of figures by layout, as they came, then by size; operations as they came
def in_order: firsts | (map(.[0:2]) | firsts) as $layouts |
	sort_by([.[0:2] as $l | ($layouts | index([$l])), .[2]]);
