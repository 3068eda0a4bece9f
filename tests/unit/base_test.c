/* base_test - sizes that no size_t holds, and hash tables that nobody can fill unevenly */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "arena.h"
#include "buf.h"
#include "map.h"
#include "mem.h"

static void grow(size_t n)
{
	struct buf b = { 0 };

	buf_addz(&b, "0123456789");
	buf_need(&b, n);
}

static void take_arena(size_t n)
{
	struct arena a = { 0 };

	arena_alloc(&a, n);
}

static void copy(size_t n)
{
	xstrndup("", n);
}

static void array(size_t n)
{
	uint64_t *a = NULL;
	size_t cap = n / 3;

	GROW(a, cap, cap);
}

/* Does f(n) end the program with the line that says why? */
static bool ends(void (*f)(size_t), size_t n)
{
	static const char line[] = "starpipe: error: out of memory\n";
	char said[sizeof(line)] = "";
	int fd[2], status;
	ssize_t len;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	if ((pid = fork()) == 0) {
		alarm(10);
		dup2(fd[1], STDERR_FILENO);
		f(n);
		_exit(0);
	}
	close(fd[1]);
	len = read(fd[0], said, sizeof(said));
	close(fd[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 1 && len == sizeof(line) - 1 &&
	       memcmp(said, line, sizeof(line) - 1) == 0;
}

static void sizes_that_wrap_end_the_program(void **state)
{
	(void)state;
	for (size_t less = 1; less < 12; less++) {
		assert_true(ends(grow, SIZE_MAX - less + 1));
		assert_true(ends(take_arena, SIZE_MAX - less + 1));
	}
	assert_true(ends(copy, SIZE_MAX));
	assert_true(ends(array, SIZE_MAX));
}

/* Half of a secret: keys chosen for another table, or for none, collide as seldom as any others. */
static void keys_are_spread_whatever_they_are(void **state)
{
	struct map m = { 0 };
	char key[64];
	int added;

	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		size_t run = 0, longest = 0;

		for (unsigned i = 0; i < 50000; i++) {
			int n = kind == 0 ? snprintf(key, sizeof(key), "%u", i) :
				kind == 1 ? snprintf(key, sizeof(key), "%040u", i) :
				kind == 2 ? snprintf(key, sizeof(key), "%u%030u", i, 0) :
					    snprintf(key, sizeof(key), "%c%c%c%c", i & 255,
						     i >> 8 & 255, 0, i & 1);

			map_add(&m, (struct str){ key, (size_t)n }, &added);
			assert_non_null(map_find(&m, (struct str){ key, (size_t)n }));
		}
		for (size_t i = 0; i < m.capacity; i++) {
			run = m.entries[i].key.data ? run + 1 : 0;
			longest = run > longest ? run : longest;
		}
		assert_true(longest < 300);
		map_release(&m);
	}
}

/* The hash of a key in a process of its own. */
static uint64_t hash_elsewhere(void)
{
	uint64_t hash = 0;
	int fd[2], status;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	if ((pid = fork()) == 0) {
		struct map m = { 0 };
		int added;

		hash = map_add(&m, STR("a key"), &added)->hash;
		_exit(write(fd[1], &hash, sizeof(hash)) != sizeof(hash));
	}
	assert_int_equal(read(fd[0], &hash, sizeof(hash)), sizeof(hash));
	waitpid(pid, &status, 0);
	close(fd[0]);
	close(fd[1]);
	return hash;
}

static void every_process_hashes_otherwise(void **state)
{
	(void)state;
	assert_true(hash_elsewhere() != hash_elsewhere());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_process_hashes_otherwise), /* before a secret is made */
		cmocka_unit_test(keys_are_spread_whatever_they_are),
		cmocka_unit_test(sizes_that_wrap_end_the_program),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
