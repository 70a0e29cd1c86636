# SPDX-License-Identifier: GPL-2.0-only
# plots.gp: for plots.sh, which sets dir, variants, kernel, format and out
#
# Kernels differ in dashes, points and patterns first, in shades of grey second.

if (format eq 'svg') {
	set terminal svg size 800,500 font 'sans,14' background 'white'
} else {
	set terminal pngcairo size 1200,750 font 'sans,16' background 'white'
}
n = words(variants)
# stock, then up to ours, which is what stands out
dash(i) = i == n ? 1 : i == 1 ? 2 : 4
point(i) = i == n ? 7 : i == 1 ? 4 : 8
pattern(i) = i == n ? 3 : i == 1 ? 0 : 2
set border 3
set tics nomirror out
set grid ytics lc rgb '#cccccc' lt 1
set logscale y
set format y '10^{%L}'
set ylabel 'guest instructions'

set output out.'/plot-sizes.'.format
set title "Kernel mapping of a buffer of the system heap\n{/*0.8 ".kernel.", fresh memory}"
set logscale x 2
set xtics ('4 KiB' 4096, '64 KiB' 65536, '1 MiB' 1048576, '16 MiB' 16777216, '128 MiB' 134217728, '1 GiB' 1073741824)
set xrange [3000:1500000000]
set xlabel 'size of the buffer'
set key top left reverse Left
plot for [i=1:n] dir.'/'.word(variants, i) using 1:2 with linespoints \
	lc rgb 'black' dt dash(i) lw 2 pt point(i) ps 1.2 title word(variants, i)

set output out.'/plot-layouts.'.format
set title "Kernel mapping of 128 MiB\n{/*0.8 ".kernel.", by the layout of its memory}"
unset logscale x
set xrange [*:*]
unset xlabel
set xtics auto
set style data histograms
set style histogram clustered gap 1
set style fill pattern 0 border lc rgb 'black'
set boxwidth 0.9
set yrange [100:*]
set offsets 0, 0, 0, 0
set key outside bottom center horizontal
# the figures above the bars, a million as 1.0M
short(x) = x >= 1e6 ? sprintf('%.1fM', x / 1e6) : x >= 1e4 ? sprintf('%.0fk', x / 1e3) : sprintf('%.1fk', x / 1e3)
width = 1.0 / (n + 1)
plot for [i=1:n] dir.'/layouts' using i+1:xtic(1) lc rgb 'black' fs pattern pattern(i) \
		title word(variants, i), \
	for [i=1:n] dir.'/layouts' using ($0 + (i - (n + 1) / 2.0) * width):(column(i + 1)):(short(column(i + 1))) \
		with labels offset 0,0.6 font ',10' notitle
