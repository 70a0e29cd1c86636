# SPDX-License-Identifier: GPL-2.0-only
# jq -nR --argjson runs '{FILE: [VARIANT, MODE]}' --argjson variants '["stock", ...]'
#	--argjson about '{...}' -f collect.jq FILE...
#
# results.json, of what guests have printed.  MODE is icount or wall.  These lines
# count, separated by tabs (see print_times() and print_leaves() of the selftests, and
# test_vmalloc):
#	bench user layout op bytes rounds min median max
#	leaves bytes pud pmd cont pte table_bytes nents
#	layout user layout bytes pud pmd cont pte table_bytes nents
#	iommu device layout bytes sizes table_bytes nents segments

include "figures";

def fail(what): "report: \(what)\n" | halt_error(1);

def key: [.user, .layout, .bytes, .op];
def run_key: [.variant, .mode] + key | tojson;

# levels: how a mapping is made, from pud on
def levels: map(tonumber) | { extents: .[5], leaves: (.[0] + .[1] + .[2] + .[3]),
	pud: .[0], pmd: .[1], cont: .[2], pte: .[3], table_bytes: .[4] };

# row: a line as an object, with a median or with a shape; nothing if it is another line
def row:
	. as $line | input_filename as $file | (sub("^# "; "") | split("\t")) as $f |
	{ variant: $runs[$file][0], mode: $runs[$file][1] } +
	if $f[0] == "bench" then
		if ($f | length) != 9 or any($f[4:][]; test("^[0-9]+$") | not) then
			fail("\($file): bad line: \($line)")
		else ($f[4:] | map(tonumber)) as $n |
			{ $file, user: $f[1], layout: $f[2], op: $f[3], bytes: $n[0],
			  rounds: $n[1], min: $n[2], median: $n[3], max: $n[4] }
		end
	elif $f[0] == "leaves" then
		{ user: "kernel", layout: "fresh", op: "vmap", bytes: ($f[1] | tonumber),
		  shape: ($f[2:] | levels) }
	elif $f[0] == "layout" then
		{ user: $f[1], layout: $f[2], op: "vmap", bytes: ($f[3] | tonumber),
		  shape: ($f[4:] | levels) }
	elif $f[0] == "iommu" then
		{ user: "iommu", layout: $f[2], op: "map", bytes: ($f[3] | tonumber),
		  shape: { extents: ($f[6] | tonumber), iommu_table_bytes: ($f[5] | tonumber) } }
	else empty end;

[inputs | row] as $rows |
[$rows[] | select(.median)] as $bench |
(first(($runs | keys_unsorted)[] | select(. as $f | all($bench[]; .file != $f))) // null) as $empty |
if $empty then fail("\($empty): holds no bench line") else . end |
(reduce $bench[] as $r ({}; ($r | run_key) as $k |
	if .[$k] then fail("\($r.file): \($r.op) of \($r.bytes | size) appears twice")
	else .[$k] = $r end)) as $at |
($rows | map(select(.shape)) | INDEX(run_key)) as $shapes |
($bench | map(key) | in_order) as $keys |
[("icount", "wall") as $mode | $variants[] as $variant | $keys[] as $key |
	([$variant, $mode] + $key | tojson) as $k |
	if $at[$k] then $at[$k] | del(.file) |
		.unit = (if .mode == "icount" then "instructions" else "ns" end) |
		. + ($shapes[$k].shape // {})
	elif any($variants[]; $at[[., $mode] + $key | tojson]) and ([$key[0], $variant] != ["iommu", "rfc"]) then
		fail("\($variant), \($mode): \($key[3]) of \($key[2] | size) (\($key[0]), \($key[1])) is missing")
	else empty end
] as $results |
({ schema: "vmap-results", version: 1 } + $about | tojson | .[:-1]) +
",\"results\":[\n" + ($results | map(tojson) | join(",\n")) + "\n]}"
