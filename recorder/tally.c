/* SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"

#define DAY_MS INT64_C(86400000)

/* Tasks of one day share their tallies. */
static struct mu_id id_of(struct mu_id task, const struct mu_digest *digest)
{
    const int64_t day = mu_id_time_ms(task) / DAY_MS * DAY_MS;
    struct mu_id origin = task;
    for (int i = 0; i < 6; i++)
        origin.b[i] = (uint8_t)(day >> (40 - 8 * i));
    return mu_id_derive(origin, digest);
}

static bool make_room(struct tally_set *s)
{
    if (s->count < s->room)
        return true;
    size_t room = s->room ? s->room * 2 : 64;
    struct tally_row *grown = realloc(s->rows, room * sizeof(*grown));
    if (!grown)
        return false;
    s->rows = grown;
    s->room = room;
    return true;
}

bool tally_find(struct tally_set *s, struct mu_id task, struct mu_span rules, const struct mu_digest *digest, int32_t *out,
                struct mu_error *err)
{
    const struct mu_id id = id_of(task, digest);
    int32_t *head = &s->heads[(size_t)(digest->b[0] << 8 | digest->b[1]) % TALLY_HEADS];
    for (int32_t i = *head - 1; i >= 0; i = s->rows[i].next)
        if (mu_id_equal(s->rows[i].id, id)) {
            *out = i;
            return true;
        }
    if (!make_room(s))
        return mu_fail(err, MU_BROKEN, "out of memory");
    s->rows[s->count] = (struct tally_row){.id = id, .rules = rules, .next = *head - 1};
    *out = (int32_t)s->count++;
    *head = *out + 1;
    return true;
}

void tally_reset(struct tally_set *s)
{
    s->count = 0;
    memset(s->heads, 0, sizeof(s->heads));
}

void tally_free(struct tally_set *s)
{
    free(s->rows);
    *s = (struct tally_set){.rows = NULL};
}

bool tally_list_read(struct tally_list *t, const json_t *doc, struct mu_span body)
{
    const json_t *list = json_object_get(doc, "tallies");
    struct mu_span rest, raw;
    t->count = 0;
    if (!list)
        return true;
    if (!mu_json_raw(body, "tallies", &rest))
        return false;
    while (t->count < json_array_size(list) && mu_json_next_element(&rest, &raw)) {
        t->rules[t->count] = raw;
        t->digests[t->count++] = mu_digest_of(raw);
    }
    return t->count == json_array_size(list);
}
