/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files: every file below the folders that are named, and the inputs that the target
 * makes itself. TAP, a line for each file; what it was about when it died is the last line. */
#include "fuzz.h"

#include <ftw.h>

#define FILES_MAX 4000
#define FILE_BYTES_MAX ((size_t)1 << 20)

static char *files[FILES_MAX];
static size_t file_count;

static int note(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about;
    (void)where;
    if (kind == FTW_F && file_count < FILES_MAX)
        files[file_count++] = strdup(path);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void run(size_t number, const char *name, struct mu_span input)
{
    printf("# %s\n", name);
    (void)fflush(stdout);
    char *copy = malloc(input.len); /* so that a sanitizer sees a step beyond */
    if (input.len)
        memcpy(copy, input.at, input.len);
    (void)LLVMFuzzerTestOneInput((const uint8_t *)copy, input.len);
    free(copy);
    printf("ok %zu - %s\n", number, name);
}

static bool slurp(const char *path, struct mu_text *out)
{
    char part[65536];
    size_t got;
    FILE *f = fopen(path, "rb");
    while (f && (got = fread(part, 1, sizeof(part), f)) > 0)
        mu_text_add(out, mu_span(part, got));
    if (f)
        (void)fclose(f);
    return f && mu_text_ok(out, NULL);
}

int main(int argc, char **argv)
{
    size_t number = 0;
    const char *name;
    for (int i = 1; i < argc; i++)
        if (nftw(argv[i], note, 16, FTW_PHYS) != 0) {
            printf("Bail out! %s cannot be read\n", argv[i]);
            return 1;
        }
    qsort(files, file_count, sizeof(*files), by_name);
    (void)LLVMFuzzerInitialize(&argc, &argv);
    for (size_t i = 0; i < file_count; i++) {
        MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(FILE_BYTES_MAX);
        const char *shown = strstr(files[i], "/tests/");
        if (!slurp(files[i], &bytes)) {
            printf("Bail out! %s cannot be read, or is larger than a corpus should hold\n", files[i]);
            return 1;
        }
        run(++number, shown ? shown + 1 : files[i], mu_text_span(&bytes));
        free(files[i]);
    }
    for (size_t i = 0;; i++) {
        MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
        name = fuzz_make(i, &bytes);
        if (!name)
            break;
        run(++number, name, mu_text_span(&bytes));
    }
    printf("1..%zu\n", number);
    return 0;
}
