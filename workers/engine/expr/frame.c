/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/expr/program.h"

#define PIECE_MAX ((size_t)1 << 20)

bool mu_frame_init(struct mu_frame *f, size_t slot_count, struct mu_error *err)
{
    struct mu_slot *slots = calloc(slot_count + 1, sizeof(*slots));
    if (!slots)
        return mu_fail(err, MU_BROKEN, "out of memory");
    *f = (struct mu_frame){.stamp = 1, .slots = slots, .slot_count = slot_count + 1};
    return true;
}

void mu_frame_fini(struct mu_frame *f)
{
    for (size_t i = 0; i < f->piece_room; i++) {
        if (f->pieces[i])
            mu_text_free(f->pieces[i]);
        free(f->pieces[i]);
    }
    free(f->pieces);
    free(f->slots);
    *f = (struct mu_frame){0};
}

void mu_frame_record(struct mu_frame *f, const struct mu_record *record)
{
    f->stamp++;
    f->piece_count = 0;
    f->record = record;
    f->keys = f->aggregates = NULL;
}

void mu_frame_group(struct mu_frame *f, const struct mu_xvalue *keys, const struct mu_xvalue *aggregates)
{
    f->stamp++;
    f->piece_count = 0;
    f->record = NULL;
    f->keys = keys;
    f->aggregates = aggregates;
}

static bool make_room(struct mu_frame *f)
{
    const size_t room = f->piece_room ? f->piece_room * 2 : 8;
    struct mu_text **more = realloc(f->pieces, room * sizeof(*more));
    if (!more)
        return false;
    memset(more + f->piece_room, 0, (room - f->piece_room) * sizeof(*more));
    f->pieces = more;
    f->piece_room = room;
    return true;
}

struct mu_text *mu_frame_piece(struct mu_frame *f)
{
    if (f->piece_count == f->piece_room && !make_room(f))
        return NULL;
    struct mu_text **piece = &f->pieces[f->piece_count];
    if (!*piece) {
        *piece = malloc(sizeof(**piece));
        if (!*piece)
            return NULL;
        **piece = MU_TEXT(PIECE_MAX);
    }
    f->piece_count++;
    mu_text_reset(*piece);
    return *piece;
}
