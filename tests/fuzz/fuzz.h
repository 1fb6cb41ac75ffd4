/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target is written with. A target is one file that gives libFuzzer its function; the same
 * file with replay.c around it is a test that goes over the corpus. A target does not only wait for a crash:
 * it says with FUZZ_HOLDS what must be so for any bytes. */
#ifndef MU_FUZZ_H
#define MU_FUZZ_H

#include "base/base.h"
#include "base/error.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Inputs too big to be kept in a corpus are made when it is replayed. Appends number `index` to *out; NULL:
 * there are no more, else its name. */
const char *fuzz_make(size_t index, struct mu_text *out);

#define FUZZ_HOLDS(condition, ...)                                                                           \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s does not hold: ", __FILE__, __LINE__, #condition);                    \
            fprintf(stderr, __VA_ARGS__);                                                                    \
            fprintf(stderr, "\n");                                                                           \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

#define FUZZ_SHOW(span) (int)((span).len < 200 ? (span).len : 200), (span).len ? (span).at : ""

/* For choices (how to cut, which description) that are not part of the data: an input may begin with
 * FUZZ_CHOICES and as many bytes as there are choices. The files of a corpus do not: then the choices follow
 * from the data, and a replay (FUZZ_REPLAY) tries all of them. */
#define FUZZ_CHOICES 0x7F
struct fuzz_choices {
    bool made;
    uint8_t at[4];
};
static inline struct fuzz_choices fuzz_choices(struct mu_span *input)
{
    struct fuzz_choices c = {0};
    c.made = input->len > sizeof(c.at) && input->at[0] == FUZZ_CHOICES;
    if (c.made) {
        memcpy(c.at, input->at + 1, sizeof(c.at));
        *input = mu_span(input->at + 1 + sizeof(c.at), input->len - 1 - sizeof(c.at));
        return c;
    }
    uint32_t sum = 2166136261; /* FNV-1a */
    for (size_t i = 0; i < input->len; i++)
        sum = (sum ^ (uint8_t)input->at[i]) * 16777619;
    memcpy(c.at, &sum, sizeof(c.at));
    return c;
}
#ifdef FUZZ_REPLAY
static const bool fuzz_replays = true;
#else
static const bool fuzz_replays = false;
#endif

/* A refusal must help: what it is about, in words. */
static inline void fuzz_refusal(const struct mu_error *err, const char *what)
{
    FUZZ_HOLDS(err->fault == MU_REJECTED, "%s: %s %s", what, mu_fault_name(err->fault), err->text);
    FUZZ_HOLDS(err->code[0] && err->text[0], "%s: code \"%s\", text \"%s\"", what, err->code, err->text);
    FUZZ_HOLDS(!err->pointer[0] || err->pointer[0] == '/', "%s: pointer %s", what, err->pointer);
}

#endif
