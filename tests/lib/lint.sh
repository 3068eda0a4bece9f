#!/bin/bash
# lint.sh - the rules of form that a machine can check; prints what breaks them, fails if anything does
set -u
cd "$(dirname "$0")/../.."
broken=0

# report RULE: the lines of standard input are what breaks it
report() {
	local lines
	lines=$(cat)
	[ -n "$lines" ] || return
	printf '%s\n' "$lines" | sed "s|\$|   <- $1|"
	broken=1
}

sources=(extract/*.c transform/*.c load/*.c lib/*.[ch] tests/{unit,fuzz}/*.c)

for f in "${sources[@]}"; do
	expand -t8 "$f" | awk -v f="$f" 'length > 100 { print f ":" FNR }' | report "more than 100 columns"
done
grep -nE '[[:blank:]]$' "${sources[@]}" | cut -d: -f1,2 | report "blanks at the end"
grep -nE '^ {8}|^	* +	' "${sources[@]}" | cut -d: -f1,2 | report "indent by tabs"
grep -nE '\b(if|for|while|switch)\(' "${sources[@]}" | cut -d: -f1,2 | report "a blank is missing"
grep -nE '\b(strcpy|strcat|sprintf|vsprintf|strtok|gmtime|localtime|atoi|atol|gets)\(' "${sources[@]}" |
	report "a banned function"
for f in "${sources[@]}"; do
	name=${f##*/}
	case $f in *.c) name=${name%.c} ;; esac
	head -1 "$f" | grep -qE "^/\* $name - " || echo "$f:1" | report "begins with /* $name - what it is */"
done
for f in extract/*.c transform/*.c load/*.c; do
	name=$(basename "$f" .c)
	[ -e "man/$name.1" ] || echo "man/$name.1" | report "every tool has a page"
	[ -e "tests/cli/$name.bats" ] || echo "tests/cli/$name.bats" | report "every tool has a bats file"
done

# "file: name" of a test, or a file alone
grep -oE '`tests/[^`]+`' SECURITY.md | tr -d '`' | while IFS= read -r test; do
	f=${test%%: *} name=${test#*: }
	[ -e "$f" ] && case $f in
	*.bats) grep -qF "@test \"$name\" {" "$f" ;;
	*_test.c) grep -qF "cmocka_unit_test($name)" "$f" ;;
	esac || echo "SECURITY.md: $test"
done | report "a test that SECURITY.md names is there"

# A foreign library is included by one module only, so that a reader finds all its quirks in one place.
libc='assert|ctype|dirent|errno|fcntl|float|getopt|glob|inttypes|libgen|limits|locale|math|netdb|poll|pthread|pwd|regex'
libc+='|sched|setjmp|signal|spawn|std[a-z]+|string|strings|sys/[a-z]+|termios|time|unistd|wchar|wctype'
grep -oE '^#include <[^>]+>' extract/*.c transform/*.c load/*.c lib/*.[ch] | grep -vE "<($libc)\.h>" |
	sed -E 's/\.[ch]:#include </ /; s/>$//; s/ ([^/]*)\/.*/ \1/' | sort -u |
	awk '{ n[$2]++; by[$2] = by[$2] " " $1 } END { for (l in n) if (n[l] > 1) print l ":" by[l] }' |
	report "a foreign library belongs to one module"

exit $broken
