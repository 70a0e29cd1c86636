# SPDX-License-Identifier: GPL-2.0-only
# jq -r --arg form text|markdown|brief -f tables.jq results.json: variants side by side, each with
# how many times as much stock takes
#
# text has every figure, markdown the rows that a person or a cover letter shows, and
# brief the rows that matter most, for a terminal.  Only medians are shown.

include "figures";

def pad($n): tostring | ($n - length) as $k | (if $k > 0 then " " * $k else "" end) + .;
def rpad($n): tostring | ($n - length) as $k | . + (if $k > 0 then " " * $k else "" end);
def fixed($digits): . as $x | (reduce range($digits) as $i (1; . * 10)) as $p |
	($x * $p + 0.5 | floor | tostring) as $s |
	if $digits == 0 then $s else
		((($digits + 1 - ($s | length)) as $k | if $k > 0 then "0" * $k else "" end) + $s) |
		.[:-$digits] + "." + .[-$digits:]
	end;
def commas: tostring | [while(length > 0; .[:-3]) | .[-3:]] | reverse | join(",");
def show($mode):
	if $mode == "icount" then commas
	elif . >= 1000000 then "\(. / 1000000 | fixed(2)) ms"
	elif . >= 1000 then "\(. / 1000 | fixed(2)) us"
	else "\(.) ns" end;
def ratio($stock; $other):
	if $other > 0 then "\($stock / $other | fixed(if $stock < 10 * $other then 2 else 1 end))x"
	else "-" end;

(.results | map(.variant) | firsts) as $variants | $variants[-1] as $last |
(.results | INDEX([.variant, .mode, .user, .layout, .bytes, .op] | tojson)) as $at |
def figure($variant; $mode; $key): $at[[$variant, $mode] + $key | tojson];
def seen($mode; $key): figure("stock"; $mode; $key) != null;

{ icount: 13, wall: 11 } as $width |
{ icount: "guest instructions", wall: "wall time" } as $what |

# Of DRM or V4L2, whatever their names are
def is_driver: test("^(kernel|sg|pages|ioremap|vmalloc|test_vmalloc|cma|udmabuf.*|iommu)$") | not;
(.results | map([.user, .layout, .bytes, .op]) | in_order) as $keys |
. as $all |

def cells($mode; $key):
	$width[$mode] as $w |
	if seen($mode; $key) then
		figure("stock"; $mode; $key).median as $stock |
		" | " + ($stock | show($mode) | pad($w)) + ([$variants[1:][] as $v |
			figure($v; $mode; $key).median as $m |
			" " + ($m // "-" | if type == "number" then show($mode) else . end | pad($w)) + " " +
			(ratio($stock; $m // 0) | pad(8))] | add // "")
	else " | " + ("" | pad($w * ($variants | length) + 10 * (($variants | length) - 1))) end;

# What the last variant has made of it
def shape($key): ([("icount", "wall") as $m | figure($last; $m; $key) | select(.extents)] | first // null) as $r |
	if $r == null then ""
	elif $r.leaves != null then
		" | \($r.extents | pad(7)) \($r.leaves | pad(6)) \($r.table_bytes | pad(6))"
	else " | \($r.extents | pad(7)) \("-" | pad(6)) \($r.iommu_table_bytes | pad(6)), stock " +
		"\(figure("stock"; $r.mode; $key).iommu_table_bytes)"
	end;

def name($user; $key):
	($key[2] | size | rpad(8)) + " " +
	if $user == "" then ($key[0] | rpad(21)) + " " + ($key[3] | rpad(11))
	elif $user == "test_vmalloc" then $key[3] | rpad(37)
	else ($key[1] | rpad(12)) + " " + ($key[3] | rpad(12)) end;

def table($user; $title; $second):
	[$keys[] | select(if $user == "" then .[0] | is_driver else .[0] == $user end)] as $rows |
	[("icount", "wall") | select(. as $m | any($rows[]; seen($m; .)))] as $modes |
	({ layout: 25, user: 33, test: 37 }[$second]) as $w |
	if $rows == [] then empty else
		"", "\($all.series) \($all.arch), \($title)",
		("" | pad(8)) + " " + ("" | pad($w)) + ([$modes[] as $m | " | " + ("stock" | pad($width[$m])) +
			([$variants[1:][] | " " + pad($width[$m]) + " " + ("ratio" | pad(8))] | add // "")] | add),
		("size" | rpad(8)) + " " + ($second | rpad($w)) + ([$modes[] as $m | " | " + ($what[$m] |
			pad($width[$m] * ($variants | length) + 10 * (($variants | length) - 1)))] | add) +
			(if $second == "layout" then " | extents leaves tables" else "" end),
		($rows[] | . as $key | name($user; $key) + ([$modes[] | cells(.; $key)] | add) + shape($key))
	end;

# How far rounds are apart, (max - min) / median, where that is the most
def spread: ("icount", "wall") as $mode | [$all.results[] | select(.mode == $mode and .median > 0)] |
	if . == [] then empty else
		max_by((.max - .min) / .median) | ((.max - .min) / .median) as $most |
		"Rounds of \($what[$mode]) are at most \(100 * $most | fixed(if $most < 0.1 then 2 else 0 end))% " +
		"of the median apart: \(.op) of \(.bytes | size) (\(.user), \(.layout), \(.variant))."
	end;

def text:
	table("kernel"; "buffers of the heap"; "layout"),
	table("sg"; "vmap_sg() of memory in blocks"; "layout"),
	table("pages"; "vmap() of an array of the same pages"; "layout"),
	table("ioremap"; "what ioremap() does to map a block"; "layout"),
	table("vmalloc"; "what vmalloc_huge() does to map a block"; "layout"),
	table("cma"; "buffers of the CMA heap"; "layout"),
	table("udmabuf"; "udmabuf of small pages"; "layout"),
	table("udmabuf-huge"; "udmabuf of huge pages"; "layout"),
	table("udmabuf-hugetlb"; "udmabuf of hugetlb"; "layout"),
	table("iommu"; "device mappings of buffers of the heap, behind an IOMMU"; "layout"),
	table(""; "users of dma_buf_vmap()"; "user"),
	table("test_vmalloc"; "lib/test_vmalloc.c"; "test"),
	"", "Instructions are path length, not cache, TLB or barrier cost; medians.", spread;

134217728 as $size |
{ fork: "fork, what it takes more", refault: "fault after a split, a leaf of 2 MiB",
  "refault-ptes": "fault after a split, 511 PTEs" } as $names |
["vunmap", "mmap", "munmap", "fork", "refault", "refault-ptes", "alloc", "free"] as $ops |

# Rows: a label, and the key of the figures
def markdown_rows:
	((4096, 65536, 1048576, 8388608, $size, 1073741824) | ["vmap", "kernel", "fresh", ., "vmap"]),
	($ops[] | [$names[.] // ., "kernel", "fresh", $size, .]),
	["mmap", "kernel", "fresh", 4096, "mmap"],
	["vmap, 1 MiB blocks", "sg", "1m", $size, "vmap"],
	["vmap, 64 KiB blocks", "sg", "64k", $size, "vmap"],
	["vmap, scattered pages", "sg", "4k-scattered", $size, "vmap"],
	($ops[] | ["\($names[.] // .), fragmented memory", "kernel", "fragmented", $size, .]),
	["vmap, fragmented memory", "kernel", "fragmented", $size, "vmap"],
	["alloc, pool warm", "kernel", "warm", $size, "alloc"],
	["alloc, pool dirty", "kernel", "dirty", $size, "alloc"],
	["alloc, pool empty", "kernel", "empty", $size, "alloc"],
	["free, to the pool", "kernel", "warm", $size, "free"],
	["zeroing in the background", "kernel", "warm", $size, "worker"],
	((65536, 8388608, $size) | ["life of a buffer, pool empty", "kernel", "empty", ., "life"],
		["life of a buffer, pool warm", "kernel", "warm", ., "life"]),
	["system_heap_vmap() in a vkms commit", "vkms-atomic", "fresh", $size, "heap-vmap"],
	["vmap() of an array, blocks of 1 MiB", "pages", "order8", 104857600, "vmap"],
	["ioremap(), the mapping", "ioremap", "block", 1048576, "vmap"],
	["vmalloc_huge(), the mapping", "vmalloc", "block", 1048576, "vmap"],
	["vmap() of an array of one page", "pages", "page", 4096, "vmap"];

def brief_rows:
	((4096, 1048576, $size) | ["vmap", "kernel", "fresh", ., "vmap"]),
	["vmap, 1 MiB blocks", "sg", "1m", $size, "vmap"],
	["vmap, single pages", "sg", "4k-scattered", $size, "vmap"],
	["vunmap", "kernel", "fresh", $size, "vunmap"],
	["mmap", "kernel", "fresh", $size, "mmap"],
	["munmap", "kernel", "fresh", $size, "munmap"],
	["fork, with it", "kernel", "fresh", $size, "fork"],
	["alloc", "kernel", "fresh", $size, "alloc"],
	["alloc, pool warm", "kernel", "warm", $size, "alloc"],
	["life, pool warm", "kernel", "warm", $size, "life"];

def measured($mode): any($all.results[]; .mode == $mode and .user == "kernel");
def total($mode; $key): ratio(figure("stock"; $mode; $key).median; figure($last; $mode; $key).median);

# Instructions, or time if none are counted
def markdown:
	(if measured("icount") then "icount" else "wall" end) as $mode |
	"| \("size" | rpad(8)) | \("operation" | rpad(36)) |" + ([$variants[] | " \(pad(11)) |"] | add) + " \("ratio" | pad(7)) |",
	"|----------|--------------------------------------|" + ([$variants[] | "------------:|"] | add) + "--------:|",
	(markdown_rows | .[0] as $name | .[1:] as $key | select(seen($mode; $key)) |
		"| \($key[2] | size | rpad(8)) | \($name | rpad(36)) |" +
		([$variants[] | figure(.; $mode; $key).median | " \(show($mode) | pad(11)) |"] | add) +
		" \(total($mode; $key) | pad(7)) |");

def brief: ("icount", "wall") as $mode | select(measured($mode)) |
	"", ($what[$mode] | rpad(26)) + ([$variants[] | " \(pad(12))"] | add) + " \("ratio" | pad(7))",
	(brief_rows | .[0] as $name | .[1:] as $key | select(seen($mode; $key)) |
		($key[2] | size | rpad(7)) + " " + ($name | rpad(18)) +
		([$variants[] | figure(.; $mode; $key).median | " \(show($mode) | pad(12))"] | add) +
		" \(total($mode; $key) | pad(7))");

if $form == "text" then text elif $form == "markdown" then markdown else brief end
