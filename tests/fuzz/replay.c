/* replay - a fuzz target's corpus as a test: main for NAME_fuzz.c where libFuzzer is not linked
 *
 * Without arguments it takes all of tests/fuzz/corpus/NAME of the tree at $STARPIPE_TOP (or here),
 * with arguments these files, such as a finding. TAP goes to stdout: the names of the files as
 * they come, so that the last one is that of which the program died, and one test for all. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *path)
{
	struct buf bytes = { 0 };
	uint8_t *exact; /* no byte more, so that a sanitizer sees one that is read behind it */
	FILE *f = fopen(path, "rb");
	int c;

	printf(" %s", strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	fflush(stdout);
	if (!f) {
		perror(path);
		exit(1);
	}
	while ((c = fgetc(f)) != EOF)
		buf_addch(&bytes, (char)c);
	fclose(f);
	exact = malloc(bytes.len + !bytes.len);
	if (bytes.len)
		memcpy(exact, bytes.data, bytes.len);
	LLVMFuzzerTestOneInput(exact, bytes.len);
	free(exact);
	buf_release(&bytes);
}

static size_t replay_corpus(const char *name)
{
	const char *top = getenv("STARPIPE_TOP");
	struct buf path = { 0 };
	struct dirent *entry;
	size_t count = 0;
	DIR *d;

	buf_addf(&path, "%s/tests/fuzz/corpus/%s", top ? top : ".", name);
	d = opendir(path.data);
	while (d && (entry = readdir(d))) {
		struct buf file = { 0 };

		if (entry->d_name[0] == '.')
			continue;
		buf_addf(&file, "%s/%s", path.data, entry->d_name);
		replay(file.data);
		buf_release(&file);
		count++;
	}
	if (d)
		closedir(d);
	buf_release(&path);
	return count;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	char name[64];
	size_t count = (size_t)(argc - 1);

	snprintf(name, sizeof(name), "%s", slash ? slash + 1 : argv[0]);
	if (strstr(name, "_fuzz"))
		*strstr(name, "_fuzz") = '\0';
	printf("#");
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	if (argc == 1)
		count = replay_corpus(name);
	printf("\n%s 1 - %s takes %zu inputs\n1..1\n", count ? "ok" : "not ok", name, count);
	return count == 0;
}
