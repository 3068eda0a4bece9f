# starpipe - see README.md for what to type first.
-include config.mk
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
MANDIR  ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share/starpipe
CFLAGS  ?= -O2 -g
B       := build$(if $(SAN),-san)

# what a module or a tool compiles and links with, beyond libc: pkg-config names, or plain -l
PKGS    := libpq libcurl yajl libcrypto zlib libzstd liblz4 libbrotlidec gmp
LIBS     = $(shell pkg-config --libs $(PKGS)) -lpg_query -lcsv -lsnappy -lm
INCS    := $(shell pkg-config --cflags $(PKGS))

WARN    := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla
SANF    := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
# Hardening, each as far as the compiler takes it without a warning beside the builder's own flags.
# Fortified calls want an optimizer, and a sanitizer sees more without them. Of x86's two guards no
# Linux checks the one for jumps, which costs star-transform 3 %.
takes    = $(shell $(CC) -Werror $(1) $(CPPFLAGS) $(CFLAGS) -include stdio.h -S -xc -o - /dev/null >/dev/null 2>&1 && echo '$(1)')
fortify  = $(call takes,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(1))
HARD    := -fPIE $(foreach f,-fstack-protector-strong -fstack-clash-protection -fcf-protection=return \
	-mbranch-protection=standard,$(call takes,$f)) $(if $(SAN),,$(or $(call fortify,3),$(call fortify,2)))
HARDLD  := -pie -Wl,-z,relro,-z,now,-z,noexecstack
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || cat VERSION 2>/dev/null || echo 0)
FLAGS    = -std=c11 -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -Ilib $(INCS) $(WARN) $(HARD) $(if $(DEV),-Werror) $(if $(SAN),$(SANF))

TOOLS   := $(patsubst %.c,%,$(notdir $(wildcard extract/*.c transform/*.c load/*.c)))
MODULES := $(patsubst lib/%.c,$(B)/lib/%.o,$(wildcard lib/*.c))
UNITS   := $(patsubst tests/%.c,$(B)/%,$(wildcard tests/unit/*_test.c tests/fuzz/*_fuzz.c))
vpath %.c extract transform load

all: $(TOOLS:%=$(B)/%)

$(B)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/lib/opt.o $(B)/lib/parquet_write.o: FLAGS += -DVERSION='"$(VERSION)"'

$(B)/libstarpipe.a: $(MODULES)
	rm -f $@ && $(AR) rcs $@ $^

$(B)/%: %.c $(B)/libstarpipe.a
	$(CC) $(FLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.d $(HARDLD) $(LDFLAGS) -o $@ $< $(B)/libstarpipe.a -Wl,--as-needed $(LIBS)

$(B)/unit/%: tests/unit/%.c $(B)/libstarpipe.a
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.d $(HARDLD) $(LDFLAGS) -o $@ $< $(B)/libstarpipe.a -Wl,--as-needed $(LIBS) -lcmocka

# --- tests: tests/README.md ---

RUN := B=$(B) tests/lib/run.sh

check-unit: $(UNITS)
	@$(RUN) $(UNITS)

check-cli: all
	@$(RUN) tests/cli/*.bats

check-e2e: all
	@$(RUN) tests/e2e/*.bats

check-valgrind: $(UNITS)
	@VALGRIND=1 $(RUN) $(UNITS)

check-man:
	mandoc -T lint -W warning man/*.[0-9]

check: all $(UNITS)
	@$(RUN)

test: deps-test
	@$(MAKE) check

# the same against more of what others say is right than everybody wants to wait for
build/oracles/ready: tests/oracles/install.sh
	tests/oracles/install.sh $(@D)

# SERVERS=some: also with other S3 servers and PostgreSQLs, which takes a quarter of an hour once;
# SERVERS=all: with those, too, that are compiled for an hour
OFTEN   := $(filter-out %/servers.bats %/servers-heavy.bats %/postgres.bats,$(wildcard tests/oracles/*.bats))
SELDOM  := $(if $(SERVERS),tests/oracles/servers.bats tests/oracles/postgres.bats) \
	$(if $(filter all,$(SERVERS)),tests/oracles/servers-heavy.bats)
ORACLES := $(patsubst tests/oracles/%.bats,check-oracle-%,$(OFTEN) $(SELDOM))

$(ORACLES): check-oracle-%:
	@$(RUN) tests/oracles/$*.bats

# Without them, and without a way to get them, their tests are skipped. Two files run at once, each
# with servers of its own; the last line counts them all.
test-oracles: all
	-@$(MAKE) -s build/oracles/ready
	-@$(if $(SERVERS),tests/oracles/install-servers.sh build/oracles/servers $(filter all,$(SERVERS)))
	@$(MAKE) -ks -j2 -Otarget $(ORACLES) | awk '{ print } \
		/^[0-9]+ passed, [0-9]+ failed/ { n++; p += $$1; f += $$3; s += $$5 } \
		END { printf "%d passed, %d failed%s\n", p, f, s ? ", " s " skipped" : ""; \
		      exit f || !p || n != $(words $(ORACLES)) }'

# Foreign bytes against a parser. build/fuzz/NAME_fuzz replays tests/fuzz/corpus/NAME, a test like any
# other. libFuzzer looks for more: make fuzz T=parquet SECONDS=600. Findings lie in build-fuzz/.
REPLAY ?= tests/fuzz/replay.c
$(B)/fuzz/%: tests/fuzz/%.c $(REPLAY) $(B)/libstarpipe.a
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ -Wl,--as-needed $(LIBS)

T ?= parquet
SECONDS ?= 60
RUNS ?= -1
SEED ?= 0
fuzz:
	@$(MAKE) -s CC=clang SAN=1 B=build-fuzz CFLAGS='-O1 -g -fsanitize=fuzzer-no-link' LDFLAGS=-fsanitize=fuzzer REPLAY= \
		build-fuzz/fuzz/$(T)_fuzz
	mkdir -p build-fuzz/corpus/$(T)
	cd build-fuzz && fuzz/$(T)_fuzz -max_total_time=$(SECONDS) -runs=$(RUNS) -seed=$(SEED) -timeout=20 -rss_limit_mb=1500 -malloc_limit_mb=400 \
		-max_len=65536 -print_final_stats=1 corpus/$(T) ../tests/fuzz/corpus/$(T)

# each of them for a short fixed number of inputs
check-fuzz:
	@tests/lib/fuzz.sh

bench: all
	@B=$(B) tests/bench.sh $(ORDERS)

lint:
	@tests/lib/lint.sh

# --- this machine ---

deps:
	@tests/lib/deps.sh

deps-test:
	@tests/lib/deps.sh test

demo:
	@examples/demo.sh

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(DATADIR)
	install $(TOOLS:%=$(B)/%) $(DESTDIR)$(BINDIR)
	install -m 644 transform/*.sql transform/*.csv $(DESTDIR)$(DATADIR)
	for page in man/*.[0-9]; do install -D -m 644 -t $(DESTDIR)$(MANDIR)/man$${page##*.} $$page || exit; done

uninstall:
	rm -f $(TOOLS:%=$(DESTDIR)$(BINDIR)/%)
	rm -f $(patsubst man/%,$(DESTDIR)$(MANDIR)/man?/%,$(wildcard man/*.[0-9]))
	rm -rf $(DESTDIR)$(DATADIR)

clean:
	rm -rf build build-san build-clang build-fuzz

.PHONY: all check check-unit check-cli check-e2e check-valgrind check-man test test-oracles $(ORACLES) fuzz check-fuzz bench lint \
	deps deps-test demo install uninstall clean
-include $(wildcard $(B)/*.d $(B)/lib/*.d $(B)/unit/*.d)
