/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed sources: files made by Python's gzip and by zstd, whole, damaged and hostile. */
#include "sources/source.h"
#include "tap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROWS 60000

/* In order: the content; then what is made of it. */
static const char script[] =
    "import gzip, os, subprocess, sys\n"
    "os.chdir(sys.argv[1])\n"
    "data = b''.join(b'%08d,row %d of a file that is compressed\\n' % (i, i * 7919) for i in range(60000))\n"
    "def put(name, *parts): open(name, 'wb').write(b''.join(parts))\n"
    "put('plain.csv', data)\n"
    "packed = gzip.compress(data, 6)\n"
    "half = len(data) // 2\n"
    "two = gzip.compress(data[:half]) + gzip.compress(b'') + gzip.compress(data[half:])\n"
    "put('one.csv.gz', packed)\n"
    "put('members.csv.gz', two)\n"
    "put('padded.csv.gz', two, bytes(700000))\n"
    "put('padded-garbage.csv.gz', two, bytes(300000), b'x', bytes(9))\n"
    "put('garbage.csv.gz', packed, b'trailing garbage')\n"
    "put('short.csv.gz', packed[:-1])\n"
    "put('cut.csv.gz', packed[:len(packed) // 2])\n"
    "put('nothing.csv.gz')\n"
    "put('empty.csv.gz', gzip.compress(b''))\n"
    "put('plain.gz', data)\n"
    "bad = bytearray(packed); bad[len(bad) // 2] ^= 0x55\n"
    "put('bad.csv.gz', bytes(bad))\n"
    "bad = bytearray(packed); bad[-6] ^= 1\n"
    "put('crc.csv.gz', bytes(bad))\n"
    "put('bomb.csv.gz', gzip.compress(bytes(64 << 20), 9))\n"
    "def zstd(bytes_, *options): return subprocess.run(['zstd', '-q', '-c', *options], input=bytes_, "
    "capture_output=True, check=True).stdout\n"
    "try: packed = zstd(data)\n"
    "except OSError: sys.exit(3)\n"
    "put('one.csv.zst', packed)\n"
    "put('frames.csv.zst', zstd(data[:half]), b'\\x50\\x2a\\x4d\\x18\\x05\\0\\0\\0skip!', zstd(b''), "
    "zstd(data[half:], '-19'))\n"
    "put('garbage.csv.zst', packed, b'trailing garbage')\n"
    "put('zeros.csv.zst', packed, bytes(20))\n"
    "put('short.csv.zst', packed[:-1])\n"
    "put('cut.csv.zst', packed[:len(packed) // 2])\n"
    "put('nothing.csv.zst')\n"
    "put('empty.csv.zst', zstd(b''))\n"
    "bad = bytearray(packed); bad[len(bad) // 2] ^= 0x55\n"
    "put('bad.csv.zst', bytes(bad))\n"
    "put('bomb.csv.zst', zstd(bytes(64 << 20)))\n"
    "put('window.csv.zst', zstd(bytes(40 << 20), '--ultra', '-20', '--long=27'))\n"
    "put('named-otherwise.csv', gzip.compress(data))\n"
    "put('none.csv.gz', data)\n";

static char dir[64];
static bool has_zstd;
static struct mu_config config;
static struct mu_sources *all;
static char *plain;
static size_t plain_len;

static void settle(void)
{
    config = (struct mu_config){.source_max_bytes = INT64_C(1) << 30, .source_window_bytes = 1 << 23};
    config.worker_roots.at[0] = dir;
    config.worker_roots.count = 1;
}

static bool open_as(struct mu_source **out, const char *name, const char *compression, struct mu_error *err)
{
    char uri[100];
    snprintf(uri, sizeof(uri), "file:%s", name);
    return mu_source_open(out, all, mu_span_of(uri), mu_span_of(compression), err);
}

/* All of it, in pieces of `piece` bytes: "" if it is the plain content, else the code of the failure, or what
 * is wrong. */
static const char *read_all(const char *name, const char *compression, size_t piece, struct mu_error *err)
{
    MU_AUTO(mu_source_close) struct mu_source *s = NULL;
    MU_AUTO(mu_free) char *to = malloc(piece);
    int64_t at = 0;
    *err = (struct mu_error){0};
    if (!open_as(&s, name, compression, err))
        return err->code;
    while (at != s->size) {
        size_t got;
        if (!mu_source_some(s, at, to, piece, &got, err))
            return err->code;
        if (at + (int64_t)got > (int64_t)plain_len || memcmp(plain + at, to, got) != 0)
            return "other content";
        at += (int64_t)got;
    }
    if (at != (int64_t)plain_len)
        return at ? "less content" : "empty";
    return mu_source_unchanged(s, err) ? "" : err->code;
}

static const char *came(const char *name)
{
    struct mu_error err;
    return read_all(name, "", 1 << 20, &err);
}

/* Reads to the end, whatever is in it: the code of the failure, or "". */
static struct mu_error last;
static const char *drain(const char *name)
{
    static char to[1 << 20];
    MU_AUTO(mu_source_close) struct mu_source *s = NULL;
    size_t got;
    last = (struct mu_error){0};
    bool good = open_as(&s, name, "", &last);
    for (int64_t at = 0; good && at != s->size; at += (int64_t)got)
        good = mu_source_some(s, at, to, sizeof(to), &got, &last);
    return last.code;
}

/* "byte N of the compressed source" within the file, and a text that says what. */
static bool is_placed(const char *name, const char *what)
{
    long long at = -1;
    (void)drain(name);
    const char *place = strstr(last.text, "byte ");
    return place && sscanf(place, "byte %lld of the compressed source", &at) == 1 && at > 0 &&
           strstr(last.text, what);
}

TAP_TEST(members_and_frames_are_one_content)
{
    static const size_t pieces[] = {1 << 20, 65536, 4096, 777};
    struct mu_error err;
    for (size_t i = 0; i < MU_COUNT(pieces); i++) {
        CHECK_TEXT(read_all("one.csv.gz", "", pieces[i], &err), "");
        CHECK_TEXT(read_all("members.csv.gz", "", pieces[i], &err), "");
        if (has_zstd)
            CHECK_TEXT(read_all("one.csv.zst", "", pieces[i], &err), "");
        if (has_zstd)
            CHECK_TEXT(read_all("frames.csv.zst", "", pieces[i], &err), "");
    }
    CHECK_TEXT(came("empty.csv.gz"), "empty");
    if (has_zstd)
        CHECK_TEXT(came("empty.csv.zst"), "empty");
}

TAP_TEST(the_compression_is_as_the_name_ends_unless_it_is_said)
{
    struct mu_error err;
    CHECK_TEXT(read_all("named-otherwise.csv", "", 4096, &err), "other content");
    CHECK_TEXT(read_all("named-otherwise.csv", "gzip", 4096, &err), "");
    CHECK_TEXT(read_all("none.csv.gz", "none", 4096, &err), "");
    CHECK_TEXT(read_all("none.csv.gz", "", 4096, &err), "source_unreadable");
    CHECK_TEXT(read_all("one.csv.gz", "bzip2", 4096, &err), "bad_task");
}

TAP_TEST(any_offset_can_be_read_and_it_is_no_shorter_way)
{
    static const int64_t offsets[] = {1500000, 0, 17, 1000000, 2000000, 3, 65536, 999999};
    static const char *const names[] = {"members.csv.gz", "frames.csv.zst"};
    char got[2000];
    for (size_t n = 0; n < (has_zstd ? 2 : 1); n++) {
        MU_AUTO(mu_source_close) struct mu_source *s = NULL;
        struct mu_error err = {0};
        CHECK(open_as(&s, names[n], "", &err));
        CHECK(!s->seekable);
        CHECK_INT(s->size, -1);
        for (size_t i = 0; i < MU_COUNT(offsets); i++) {
            CHECK(mu_source_read(s, offsets[i], got, sizeof(got), &err));
            CHECK(memcmp(got, plain + offsets[i], sizeof(got)) == 0);
        }
        CHECK(!mu_source_read(s, (int64_t)plain_len - 5, got, 6, &err));
        CHECK_TEXT(err.code, "source_changed"); /* nobody asks for what was never there */
    }
}

TAP_TEST(what_is_cut_off_is_unreadable)
{
    CHECK_TEXT(came("short.csv.gz"), "source_unreadable");
    CHECK_TEXT(came("cut.csv.gz"), "source_unreadable");
    CHECK_TEXT(came("nothing.csv.gz"), "source_unreadable");
    CHECK(is_placed("cut.csv.gz", "ends within"));
    if (!has_zstd)
        TAP_SKIP("zstd is not installed");
    CHECK_TEXT(came("short.csv.zst"), "source_unreadable");
    CHECK_TEXT(came("cut.csv.zst"), "source_unreadable");
    CHECK_TEXT(came("nothing.csv.zst"), "source_unreadable");
    CHECK(is_placed("cut.csv.zst", "ends within"));
}

TAP_TEST(what_is_damaged_is_unreadable)
{
    CHECK_TEXT(drain("crc.csv.gz"), "source_unreadable");
    CHECK_TEXT(drain("bad.csv.gz"), "source_unreadable");
    CHECK_TEXT(came("plain.gz"), "source_unreadable");
    CHECK(is_placed("bad.csv.gz", "gzip data is damaged"));
    if (!has_zstd)
        TAP_SKIP("zstd is not installed");
    CHECK_TEXT(drain("bad.csv.zst"), "source_unreadable");
    CHECK(is_placed("bad.csv.zst", "zstd data is damaged"));
}

TAP_TEST(nothing_but_zeros_may_follow_gzip_and_nothing_zstd)
{
    CHECK_TEXT(came("padded.csv.gz"), "");
    CHECK_TEXT(came("padded-garbage.csv.gz"), "source_unreadable");
    CHECK_TEXT(came("garbage.csv.gz"), "source_unreadable");
    CHECK(is_placed("padded-garbage.csv.gz", "follows the zeros"));
    if (!has_zstd)
        TAP_SKIP("zstd is not installed");
    CHECK_TEXT(came("garbage.csv.zst"), "source_unreadable");
    CHECK_TEXT(came("zeros.csv.zst"), "source_unreadable");
}

TAP_TEST(a_bomb_ends_at_the_limit)
{
    CHECK_TEXT(drain("bomb.csv.gz"), "");
    config.source_max_bytes = 64 << 20;
    CHECK_TEXT(drain("bomb.csv.gz"), "");
    config.source_max_bytes--;
    CHECK_TEXT(drain("bomb.csv.gz"), "limit_source_bytes");
    if (has_zstd)
        CHECK_TEXT(drain("bomb.csv.zst"), "limit_source_bytes");
    settle();
}

TAP_TEST(a_window_has_a_limit)
{
    if (!has_zstd)
        TAP_SKIP("zstd is not installed");
    CHECK_TEXT(drain("window.csv.zst"), "limit_window_bytes");
    config.source_window_bytes = 1 << 27;
    CHECK_TEXT(drain("window.csv.zst"), "");
    settle();
}

TAP_TEST(a_change_of_what_lies_beneath_is_noticed)
{
    MU_AUTO(mu_source_close) struct mu_source *s = NULL;
    struct mu_error err = {0};
    char path[100], byte;
    CHECK(open_as(&s, "crc.csv.gz", "", &err));
    CHECK(mu_source_read(s, 0, &byte, 1, &err));
    CHECK(mu_source_unchanged(s, &err));
    snprintf(path, sizeof(path), "%s/crc.csv.gz", dir);
    CHECK(truncate(path, 300000) == 0);
    CHECK(!mu_source_unchanged(s, &err));
    CHECK_TEXT(err.code, "source_changed");
}

static bool make_files(void)
{
    char path[100], command[200];
    snprintf(dir, sizeof(dir), "/tmp/mu-packed-XXXXXX");
    if (!mkdtemp(dir))
        return false;
    snprintf(path, sizeof(path), "%s/make.py", dir);
    FILE *f = fopen(path, "w");
    if (!f || fputs(script, f) < 0 || fclose(f) != 0)
        return false;
    snprintf(command, sizeof(command), "python3 %s %s", path, dir);
    int status = system(command);
    has_zstd = status == 0;
    snprintf(path, sizeof(path), "%s/plain.csv", dir);
    f = fopen(path, "r");
    plain = malloc(16 << 20);
    if (!f || !plain)
        return false;
    plain_len = fread(plain, 1, 16 << 20, f);
    fclose(f);
    return plain_len > (size_t)ROWS * 20;
}

int main(void)
{
    struct mu_error err = {0};
    char command[100];
    settle();
    if (!make_files() || !mu_sources_new(&all, &config, &err)) {
        printf("1..0 # SKIP the files could not be made: is there a python3?\n");
        return 0;
    }
    int status = tap_run();
    mu_sources_free(all);
    free(plain);
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command) == 0 ? status : 1;
}
