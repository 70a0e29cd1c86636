# SPDX-License-Identifier: GPL-2.0-only
#
# The front door.  `make help` lists what there is; the work is in scripts/, see
# Documentation/vmap/harness.rst.

# Of the user, and steps of these
STEP_TARGETS := plan packages fetch overlay config kernels modules kselftest initramfs
TARGETS := all help check check-all check-archs check-clients check-release check-series \
	check-shapes bench compare native users soak coverage shell remote artifacts docs \
	series lint clean distclean $(STEP_TARGETS)
.PHONY: $(TARGETS) FORCE

# Every step is in order, and each uses all CPUs itself.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

ARCH ?= x86_64
ACCEL ?= auto
VARIANT ?= patched
KERNEL_SRC ?=
OUT ?= out
TEST ?=
ARGS ?=
SCOPE ?= all
FLAVOURS ?=
MINUTES ?= 10
ACCEPT ?=
MACHINES ?=
SHAPES ?=
V ?= 0
FULL ?= 0
# All series on all architectures, unless told which
CHECKED ?= $(KNOWN_CHECKED)

# The series is that of KERNEL_SRC, unless told; messages are the same everywhere
export LC_ALL := C
unexport PERL_UNICODE PERL5OPT
SERIES_OF_SRC := $(if $(filter 1,$(words $(subst ', ,$(KERNEL_SRC)))),$(shell KERNEL_SRC='$(KERNEL_SRC)' scripts/source/fetch.sh - --series))
KERNEL ?= $(or $(SERIES_OF_SRC),6.12)

# What there is
KNOWN_KERNEL := 6.12 7.3
KNOWN_ARCH := x86_64 arm64
KNOWN_VARIANT := stock patched rfc
KNOWN_ACCEL := auto tcg kvm
KNOWN_SCOPE := all brief
KNOWN_FLAVOURS := 16k 64k clang debug faults hugetlb iommu kcsan kmsan kvm mte numa ptdump suspend
KNOWN_V := 0 1
KNOWN_FULL := 0 1
KNOWN_TEST := kunit host failed drivers/dma-buf:udmabuf $(addprefix dmabuf-heaps:, \
	$(shell sed -n 's/^+TEST_GEN_PROGS +*= //p' patches/common/*selftests.patch 2>/dev/null))
KNOWN_CHECKED := $(foreach k,$(KNOWN_KERNEL),$(KNOWN_ARCH:%=$k-%))
KNOWN_SHAPES = $(shell awk -F '[ |]+' '/^[^\#]/ && ($$2 == "-" || $$2 == "$(ARCH)") { print $$1 }' scripts/check/shapes.list)
KNOWN_ALSO := lint check-series clients shapes $(KNOWN_FLAVOURS)
KNOWN_STEPS := bench kselftest
# Targets that look at a variable; others would do what was not asked for
FOR_TEST := check check-all
FOR_ARGS := check
FOR_FLAVOURS := check check-all soak
FOR_SHAPES := check-shapes
FOR_MACHINES := check-archs
FOR_MINUTES := soak
FOR_DEVICE := remote
FOR_STOCK := shell soak remote artifacts

# one-of NAME: a variable has one of its known values
one-of = $(if $(filter-out 1,$(words $($1)))$(filter-out $(KNOWN_$1),$($1)), \
	$(error $1=$($1): not one of $(KNOWN_$1)))

# some-of NAME WORDS: these words of a variable are known
some-of = $(if $(filter-out $(KNOWN_$1),$2),$(error $1=$($1): unknown name, known are $(KNOWN_$1)))

# one-path PATH MESSAGE: make, kbuild and shells take these for something else
BAD_IN_PATH := : ' " % ~ \# $$
one-path = $(if $(strip $(filter-out 1,$(words $1)) $(foreach c,$(BAD_IN_PATH),$(findstring $c,$1))), \
	$(error $2 a path without spaces and any of $(BAD_IN_PATH)))

# nearest WORD NAMES: those that are like it, if there are
nearest = $(addprefix ; nearest: ,$(shell printf '%s\n' $2 | awk -v word='$(subst ','\'',$1)' -f scripts/front/nearest.awk))

# only-for NAME VALUE TARGETS: those, and no other, are to be made
only-for = $(foreach t,$(filter-out $3 $(STEP_TARGETS),$(or $(MAKECMDGOALS),all)), \
	$(error $1=$2: not used by make $t, only by make $3))

# arch-of FLAVOUR: the only one that has it, if so
arch-of = $(shell sed -n 's/^\#: arch: //p' scripts/build/config/$1.config)

ifeq ($(MAKECMDGOALS),help)
# Rules are read nevertheless, which a space in a path would break
override OUT := out
override KERNEL_SRC :=
else
$(call one-path,$(CURDIR),$(CURDIR): clone to)
$(foreach t,$(filter-out $(TARGETS),$(MAKECMDGOALS)),$(if $(findstring /,$t),, \
	$(error no target $t$(call nearest,$t,$(TARGETS)); make help lists all)))
$(if $(filter-out $(KNOWN_KERNEL),$(SERIES_OF_SRC)), \
	$(error KERNEL_SRC=$(KERNEL_SRC): a tree of $(SERIES_OF_SRC), not of $(KNOWN_KERNEL); see Documentation/vmap/backporting.rst))
$(foreach v,KERNEL ARCH ACCEL VARIANT SCOPE V FULL,$(call one-of,$v))
$(call some-of,FLAVOURS,$(subst -, ,$(FLAVOURS)))
$(foreach f,$(subst -, ,$(FLAVOURS)),$(foreach a,$(filter-out $(ARCH),$(call arch-of,$f)), \
	$(error FLAVOURS=$(FLAVOURS): $f is only for ARCH=$a)))
$(foreach f,$(FLAVOURS),$(if $(filter $(words $(subst -, ,$f)),$(words $(sort $(subst 64k,16k,$(subst -, ,$f))))),, \
	$(error FLAVOURS=$f: names a flavour, or a size of pages, twice)))
$(if $(SHAPES),$(call some-of,SHAPES,$(SHAPES)))
$(call some-of,CHECKED,$(or $(CHECKED),none))
$(call some-of,ALSO,$(filter $(KNOWN_ALSO),$(ALSO)) $(subst -, ,$(filter-out $(KNOWN_ALSO),$(ALSO))))
$(if $(filter rfc,$(VARIANT)),$(if $(wildcard patches/$(KERNEL)/rfc),, \
	$(error VARIANT=rfc: there is none for KERNEL=$(KERNEL))))
$(call one-path,$(OUT),OUT=$(OUT): name)
$(if $(KERNEL_SRC),$(call one-path,$(KERNEL_SRC),KERNEL_SRC=$(KERNEL_SRC): move it to))
$(foreach v,TEST ARGS FLAVOURS SHAPES MACHINES MINUTES DEVICE,$(if $(findstring command,$(origin $v)), \
	$(if $($v),$(call only-for,$v,$($v),$(FOR_$v)))))
$(if $(filter stock,$(VARIANT)),$(call only-for,VARIANT,stock,$(FOR_STOCK)))
ifneq ($(filter remote,$(MAKECMDGOALS)),)
$(if $(filter adb adb:% ssh:% serial:%,$(DEVICE)),, \
	$(error DEVICE=$(DEVICE): not ssh:[USER@]HOST, adb[:SERIAL] or serial:LINE))
$(call some-of,STEPS,$(STEPS))
endif
ifneq ($(filter check-all,$(MAKECMDGOALS)),)
$(foreach v,KERNEL ARCH KERNEL_SRC VARIANT,$(if $(findstring command,$(origin $v)), \
	$(error $v=$($v): not used by make check-all, which tests the kernels that CHECKED names)))
endif
ifneq ($(filter soak,$(MAKECMDGOALS)),)
$(if $(shell echo '$(MINUTES)' | grep -xE '[1-9][0-9]{0,3}'),, \
	$(error MINUTES=$(MINUTES): not a number from 1 to 9999))
endif
# A program is also known without its collection
FOUND_TEST := $(or $(filter $(TEST),$(KNOWN_TEST)),$(filter %:$(TEST),$(KNOWN_TEST)))
$(if $(TEST),$(if $(filter-out 1,$(words $(TEST)) $(words $(FOUND_TEST))), \
	$(error TEST=$(TEST): no such test$(or $(call nearest,$(TEST),$(KNOWN_TEST)),; there are $(KNOWN_TEST)))))
override TEST := $(FOUND_TEST)
$(if $(ARGS),$(if $(findstring :,$(TEST)),,$(error ARGS=$(ARGS): needs TEST=PROGRAM)))
ifeq ($(abspath $(OUT)),/)
$(error OUT=$(OUT): a directory of its own is needed)
endif
override OUT := $(abspath $(OUT))
override KERNEL_SRC := $(abspath $(KERNEL_SRC))
endif

TREE := $(if $(KERNEL_SRC),$(shell OUT='$(OUT)' KERNEL_SRC='$(KERNEL_SRC)' scripts/source/fetch.sh $(KERNEL) --tree),$(KERNEL))
export OUT KERNEL_SRC TREE ACCEL TEST ARGS SCOPE FLAVOURS ACCEPT MACHINES

# What cannot work is refused before anything is made.  OUT is for one make at a time,
# and those that this one starts.
ifneq ($(MAKECMDGOALS),help)
CLEANS := $(filter clean distclean,$(MAKECMDGOALS))
HELD := $(filter $(OUT),$(OUT_HELD))$(findstring n,$(filter-out --%,$(firstword $(MAKEFLAGS))))
export OUT_HELD := $(OUT)
REFUSED := $(shell export OUT='$(OUT)' KERNEL_SRC='$(KERNEL_SRC)' ACCEL='$(ACCEL)' TREE='$(TREE)'; \
	exec 2>&1 >/dev/null; \
	$(if $(CLEANS),,scripts/source/fetch.sh $(KERNEL) --check &&) \
	$(if $(HELD),,scripts/front/hold.sh $$PPID $(MAKECMDGOALS) &&) \
	{ [ $(ACCEL) != kvm ] || scripts/guest/boot.sh $(KERNEL) $(ARCH) patched accel; } && \
	scripts/archs/archs.sh $(KERNEL) --list $(MACHINES))
$(if $(REFUSED),$(error $(REFUSED)))
endif

ifeq ($(V),1)
export V
else
unexport V
Q := @
endif

SRC := $(OUT)/src/$(TREE)
WORK := $(OUT)/$(TREE)-$(ARCH)
HOST := $(OUT)/host
# What VARIANT is compared with stock: ours, or the RFC in place of it.  The
# bench compares all of them; lint looks at ours.
TESTED := $(or $(filter rfc,$(if $(filter lint,$(MAKECMDGOALS)),,$(VARIANT))),patched)
VARIANTS := $(if $(filter bench,$(MAKECMDGOALS)),stock $(if $(wildcard patches/$(KERNEL)/rfc),rfc) patched,stock $(TESTED))
PRISTINE := $(SRC)/pristine/.vmap-stamp
OVERLAYS := $(VARIANTS:%=$(SRC)/%/.overlay)
BUILT := $(VARIANTS:%=$(SRC)/%/build-$(ARCH)/.built)
FRAGMENTS := .config.fragment $(wildcard scripts/build/config/*.config)
# Only tests load modules, and the brief ones do so in no stock kernel
MODULES := $(patsubst %,$(SRC)/%/build-$(ARCH)/modules.cpio,$(if $(filter brief,$(SCOPE)),$(TESTED),$(VARIANTS)))
KSELFTEST := $(WORK)/kselftest/kselftest-list.txt
INITRAMFS := $(WORK)/initramfs.cpio
IMAGE_x86_64 := arch/x86/boot/bzImage
IMAGE_arm64 := arch/arm64/boot/Image
CROSS := $(shell sh -c '. scripts/lib.sh; cross_of $(ARCH)' scripts/front/Makefile)
# What the guest runs: this machine's own, if it can
SYSROOT := $(if $(CROSS),$(OUT)/sysroot-$(ARCH))

# What is ahead, and since when: for messages
GOAL := $(filter all check,$(or $(MAKECMDGOALS),all))
PLAN := scripts/front/plan.sh "$(GOAL)" $(KERNEL) $(ARCH) "$(VARIANTS)"
ifeq ($(words $(GOAL)),1)
export BEGUN := $(shell date +%s)
export STEPS := $(shell TEST='$(TEST)' SCOPE='$(SCOPE)' FLAVOURS='$(FLAVOURS)' $(PLAN) --steps)
endif

all: plan kernels $(INITRAMFS)
	$(Q)scripts/measure/bench.sh $(KERNEL) $(ARCH) "$(VARIANTS)" icount life wall
	$(Q)scripts/report/report.sh $(KERNEL) $(ARCH) "$(VARIANTS)" all icount life wall

plan:
	$(Q)$(PLAN)

help:
	@echo 'make             build stock and patched, boot both, compare them (the main job)'
	@echo 'make check       run every test; the last line is "N passed, N failed"'
	@echo 'make check-all   the same, and briefly for every other kernel series and architecture;'
	@echo '                 with FULL=1, for a night, also lint, check-series, check-clients, and'
	@echo '                 every flavour and shape; ALSO="lint faults" does some of it'
	@echo 'make check-archs the KUnit tests on machines of other architectures, or that they build'
	@echo 'make check-clients  v4l2-compliance and stress-ng, stock against ours'
	@echo 'make check-shapes  tests of the heap on machines of other shapes: NUMA, IOMMU, little memory'
	@echo 'make check-release  make and make check in a new Debian 12 and 13 each, also on a busy machine'
	@echo 'make bench       all sizes, layouts and users: stock, the RFC and ours, tables and plots'
	@echo 'make compare A=old.json B=new.json  what got faster or slower; fails past BOUND=1 percent'
	@echo 'make native      the walk of stock and of ours as programs, timed on this processor'
	@echo 'make users       what DRM and V4L2 pay for kernel mappings, stock and patched'
	@echo 'make soak        everything at once and in random order, for MINUTES=10'
	@echo 'make coverage    which lines and branches of our kernel files the tests run'
	@echo 'make shell       a shell in the patched kernel; exit leaves it'
	@echo 'make remote DEVICE=ssh:HOST  the bench and the tests on hardware, also by adb or serial'
	@echo 'make artifacts   what was built, as tuxrun, LAVA and KernelCI users expect it'
	@echo 'make docs        the documentation, as HTML'
	@echo 'make series      our changes as patches to send, in OUT/series'
	@echo 'make check-series  each of them builds and passes checkpatch.pl'
	@echo 'make lint        look at our sources with checkpatch, sparse, shellcheck and others'
	@echo 'make clean       remove what was built, keep the kernel source'
	@echo 'make distclean   remove everything made, all of OUT'
	@echo
	@echo 'Steps of the main job:  packages fetch overlay config kernels kselftest initramfs'
	@echo 'and of make check:      modules'
	@echo
	@echo 'KERNEL=6.12      kernel series: $(KNOWN_KERNEL), or that of KERNEL_SRC'
	@echo 'ARCH=x86_64      architecture: $(KNOWN_ARCH)'
	@echo 'KERNEL_SRC=DIR   a kernel tree of yours instead of the package; it is only read'
	@echo 'ACCEPT=          local changes of the tree that may be overwritten: names as make prints'
	@echo '                 them when it refuses such a tree'
	@echo 'ACCEL=auto       how guests run: $(KNOWN_ACCEL)'
	@echo 'VARIANT=patched  kernel for make shell: $(KNOWN_VARIANT); with rfc, make and make check'
	@echo '                 build, boot and test the RFC with the stock heap in place of ours'
	@echo 'TEST=NAME        only this test in make check: kunit, host, a selftest, or failed:'
	@echo '                 what failed the last time; ARGS="-t NAME" are arguments of the program'
	@echo 'FLAVOURS=        make check tests these kernels instead, make soak one of them:'
	@echo '                 $(KNOWN_FLAVOURS); see hacking.rst'
	@echo 'MACHINES=        only these machines in make check-archs; see portability.rst'
	@echo 'SHAPES=          only these shapes in make check-shapes; see scripts/check/shapes.list'
	@echo 'SCOPE=all        brief: make check without the tests of stock and of the harness,'
	@echo '                 make check-series without the rest of the kernel'
	@echo 'OUT=out          where everything that is made goes, by one make at a time; deleting it is'
	@echo '                 always safe'
	@echo 'V=1              show every command'

packages:
	$(Q)scripts/source/packages.sh $(KERNEL) $(ARCH)

fetch: $(PRISTINE)
overlay: $(OVERLAYS)
kernels: $(BUILT)
modules: $(MODULES)
kselftest: $(KSELFTEST)
initramfs: $(INITRAMFS)

config: $(OVERLAYS)
	$(Q)set -e; for v in $(VARIANTS); do scripts/build/build.sh $(KERNEL) $(ARCH) $$v config; done

vpath %.c scripts/guest
$(HOST)/%: %.c | packages
	$(Q)mkdir -p $(@D)
	$(Q)cc -O2 -Wall -Wextra -MMD -MP -o $@ $<

$(HOST)/init-$(ARCH): scripts/guest/init.c | packages $(SYSROOT)
	$(Q)mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(SYSROOT:%=--sysroot=%) -static -O2 -Wall -Wextra -MMD -MP -o $@ $<

ifneq ($(SYSROOT),)
$(SYSROOT): scripts/source/sysroot.sh | packages
	$(Q)scripts/source/sysroot.sh $(ARCH)
endif

-include $(wildcard $(HOST)/*.d)

# The scripts decide whether there is something to do, and touch nothing if not.
$(PRISTINE): FORCE | packages
	$(Q)scripts/source/fetch.sh $(KERNEL)

$(OVERLAYS): $(SRC)/%/.overlay: $(PRISTINE) FORCE
	$(Q)scripts/source/overlay.sh $(KERNEL) $*

# A tree that is refused is so before another is built
$(BUILT): $(SRC)/%/build-$(ARCH)/.built: $(SRC)/%/.overlay $(FRAGMENTS) scripts/build/build.sh | $(OVERLAYS)
	$(Q)scripts/build/build.sh $(KERNEL) $(ARCH) $*

# An image that was removed by hand is built again
$(foreach v,$(VARIANTS),$(if $(wildcard $(SRC)/$v/build-$(ARCH)/$(IMAGE_$(ARCH))),, \
	$(eval $(SRC)/$v/build-$(ARCH)/.built: FORCE)))

$(MODULES): $(SRC)/%/build-$(ARCH)/modules.cpio: $(SRC)/%/build-$(ARCH)/.built
	$(Q)scripts/build/build.sh $(KERNEL) $(ARCH) $* modules

$(KSELFTEST): $(wildcard tools/testing/selftests/*/* tools/testing/selftests/*/*/*) \
		drivers/dma-buf/vmap_test.h $(PRISTINE) | $(BUILT) $(SYSROOT)
	$(Q)scripts/build/build.sh $(KERNEL) $(ARCH) stock kselftest

# Every variant has the same configuration, so stock's module serves all of them
STOCK := $(SRC)/stock/build-$(ARCH)
$(INITRAMFS): $(KSELFTEST) $(HOST)/init-$(ARCH) scripts/guest/initramfs.sh $(wildcard scripts/guest/bin/*.sh) $(STOCK)/.built | $(HOST)/tsc-khz
	$(Q)GEN_INIT_CPIO=$(STOCK)/usr/gen_init_cpio SYSROOT=$(SYSROOT) \
		scripts/guest/initramfs.sh $@ $(<D) $(HOST)/init-$(ARCH) \
		$(filter scripts/guest/bin/%.sh,$^) \
		$(STOCK)/lib/test_vmalloc.ko

BENCH_PARTS := icount runs life sizes frag exporters iommu users wall wall-layouts wall-frag wall-users
bench: kernels modules $(INITRAMFS)
	$(Q)scripts/source/packages.sh $(KERNEL) $(ARCH) bench
	$(Q)scripts/measure/bench.sh $(KERNEL) $(ARCH) "$(VARIANTS)" $(BENCH_PARTS)
	$(Q)scripts/report/report.sh $(KERNEL) $(ARCH) "$(VARIANTS)" bench $(BENCH_PARTS)
	$(Q)scripts/report/plots.sh $(WORK)/results.json

# Of two results.json, maybe of different days or kernels
compare:
	$(Q)scripts/report/compare.sh '$(A)' '$(B)'

# Of the objects alone
native: config
	$(Q)scripts/measure/native.sh $(KERNEL) $(ARCH)

check: plan $(if $(filter host,$(TEST)),packages,kernels modules $(INITRAMFS))
	$(Q)scripts/check/check.sh $(KERNEL) $(ARCH) $(TESTED)

users: kernels modules $(INITRAMFS)
	$(Q)scripts/measure/bench.sh $(KERNEL) $(ARCH) "stock $(TESTED)" users
	$(Q)RESULTS=users scripts/report/report.sh $(KERNEL) $(ARCH) "stock $(TESTED)" users users

soak: kernels modules $(INITRAMFS)
	$(Q)scripts/check/soak.sh $(KERNEL) $(ARCH) $(VARIANT)$(FLAVOURS:%=-%) '$(MINUTES)'

coverage: kernels $(INITRAMFS)
	$(Q)scripts/check/coverage.sh $(KERNEL) $(ARCH)

check-all:
	$(Q)scripts/check/check-all.sh $(CHECKED)

# Small kernels, ours alone unless they do not build; packages.sh reads MACHINES
check-archs: $(OVERLAYS)
	$(Q)scripts/source/packages.sh $(KERNEL) $(ARCH) archs
	$(Q)scripts/archs/archs.sh $(KERNEL) $(MACHINES)

# Programs of Debian, where they are
check-clients: kernels modules $(INITRAMFS)
	$(Q)scripts/check/clients.sh $(KERNEL) $(ARCH) $(TESTED)

# Machines with other memory, nodes and IOMMUs; flavours are built as they are needed
check-shapes: kernels modules $(INITRAMFS)
	$(Q)scripts/check/shapes.sh $(KERNEL) $(ARCH) $(TESTED) $(SHAPES)

# In new systems of their own
check-release:
	$(Q)scripts/check/check-release.sh $(RELEASES)

shell: kernels modules $(INITRAMFS)
	$(Q)scripts/guest/boot.sh $(KERNEL) $(ARCH) $(VARIANT) shell

lint: config
	$(Q)scripts/source/packages.sh $(KERNEL) $(ARCH) lint
	$(Q)scripts/check/lint.sh $(KERNEL) $(ARCH)

# What was built, for the engine of a lab
artifacts: kernels modules $(INITRAMFS)
	$(Q)scripts/lab/artifacts.sh $(KERNEL) $(ARCH) $(VARIANT)

# On a device that runs that kernel already
remote: $(KSELFTEST)
	$(Q)DEVICE='$(DEVICE)' scripts/lab/remote.sh $(KERNEL) $(ARCH) $(VARIANT) $(or $(STEPS),bench kselftest)

docs: $(PRISTINE)
	$(Q)scripts/source/packages.sh $(KERNEL) $(ARCH) docs
	$(Q)scripts/front/docs.sh $(KERNEL)

series: $(PRISTINE)
	$(Q)scripts/series/series.sh $(KERNEL) $(ARCH)

check-series: series
	$(Q)scripts/series/series-check.sh $(KERNEL) $(ARCH)

clean:
	$(Q)scripts/front/clean.sh

distclean:
	$(Q)scripts/front/clean.sh --all

FORCE:
