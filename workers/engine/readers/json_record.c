/* SPDX-License-Identifier: Apache-2.0 */
/* What stands at a place of the tree is noted while the object is walked over (`seen`, by node); the columns
 * are served when its end has come, because the first alternative of a mapping may stand behind the second.
 */
#include "engine/readers/json_record.h"
#include "engine/readers/json_keys.h"
#include "engine/readers/json_text.h"

enum seen_kind { SEEN_NOTHING, SEEN_TEXT, SEEN_NUMBER, SEEN_BOOL, SEEN_CONTAINER };
struct seen {
    enum seen_kind kind;
    struct mu_span text;
};

struct level { /* a container that is open */
    bool object;
    uint32_t number; /* of the object in the record */
    int32_t node;    /* of the tree; JSON_TREE_NONE: nothing in it is asked for */
    int32_t place;   /* of the tree; JSON_TREE_NONE: nobody asks for itself */
    size_t from;
    int64_t item; /* of an array: the next one */
};

struct json_record {
    struct json_tree tree;
    const struct values *how;
    size_t column_count, most_fields;
    bool texts_only;
    struct seen *seen;       /* by node */
    struct mu_value *values; /* by column */
    struct json_keys keys;
    char *scratch; /* unescaped texts of the object at hand */
    size_t scratch_len, scratch_size;

    struct mu_span bytes; /* the walk */
    size_t at;
    struct level levels[JSON_DEPTH_MAX];
    size_t depth, fields;
    uint32_t objects;
    const char *fault;
    char fault_text[120];
};

void json_record_free(struct json_record *j)
{
    if (!j)
        return;
    json_tree_fini(&j->tree);
    json_keys_fini(&j->keys);
    free(j->seen);
    free(j->values);
    free(j->scratch);
    free(j);
}

bool json_record_open(struct json_record **out, const struct mu_reader_setup *setup,
                      const struct values *values, bool texts_only, struct mu_error *err)
{
    MU_AUTO(json_record_free) struct json_record *j = calloc(1, sizeof(*j));
    if (!j)
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!json_tree_open(&j->tree, setup, err))
        return false;
    j->how = values;
    j->column_count = setup->column_count;
    j->most_fields = setup->limits.fields;
    j->texts_only = texts_only;
    j->seen = calloc(j->tree.node_count, sizeof(*j->seen));
    j->values = calloc(setup->column_count + 1, sizeof(*j->values));
    if (!j->seen || !j->values)
        return mu_fail(err, MU_BROKEN, "out of memory");
    for (size_t i = 0; i < setup->column_count; i++)
        j->values[i].state = MU_VALUE_MISSING;
    *out = MU_GIVE(j);
    return true;
}

const struct mu_value *json_record_values(const struct json_record *j)
{
    return j->values;
}

const char *json_record_fault(const struct json_record *j)
{
    return j->fault;
}

static enum json_taken bad(struct json_record *j, size_t at, const char *fault)
{
    j->fault = fault;
    j->at = at;
    return JSON_BAD;
}

static void skip_blanks(struct json_record *j)
{
    while (j->at < j->bytes.len && json_blank(j->bytes.at[j->at]))
        j->at++;
}

/* The string at the opening quote; *text is what it means. */
static enum json_taken take_string(struct json_record *j, struct mu_span *text)
{
    bool escapes = false, beyond = false;
    const size_t from = j->at + 1, end = json_string_end(j->bytes, from, &escapes, &beyond);
    size_t at = 0, len;
    if (end == j->bytes.len)
        return JSON_CUT;
    if (j->bytes.at[end] != '"')
        return bad(j, end, "a control character in a text");
    *text = mu_span(j->bytes.at + from, end - from);
    if (beyond && !mu_utf8_valid(*text, &at))
        return bad(j, from + at, "invalid UTF-8");
    if (escapes) {
        char *const to = j->scratch + j->scratch_len;
        if (!json_unescape(*text, to, &len))
            return bad(j, from, "a text that is no Unicode");
        j->scratch_len += len;
        *text = mu_span(to, len);
    }
    j->at = end + 1;
    return JSON_WHOLE;
}

static enum json_taken take_word(struct json_record *j, const char *word)
{
    const size_t len = strlen(word), left = j->bytes.len - j->at;
    if (memcmp(j->bytes.at + j->at, word, left < len ? left : len) != 0)
        return bad(j, j->at, "broken JSON: a value is due");
    if (left < len)
        return JSON_CUT;
    j->at += len;
    return JSON_WHOLE;
}

static enum json_taken take_number(struct json_record *j)
{
    const size_t len = json_number(j->bytes, j->at);
    if (!len)
        return bad(j, j->at, "broken JSON: a number that is none");
    j->at += len;
    return j->at == j->bytes.len ? JSON_CUT : JSON_WHOLE;
}

static bool is_asked_for(const struct json_record *j, int32_t node)
{
    return node != JSON_TREE_NONE && j->tree.nodes[node].first != JSON_TREE_NONE;
}

static enum json_taken open_container(struct json_record *j, int32_t node)
{
    const bool object = j->bytes.at[j->at] == '{';
    if (j->depth == JSON_DEPTH_MAX)
        return bad(j, j->at, "deeper than 64 levels");
    j->levels[j->depth++] = (struct level){.object = object,
                                           .number = object ? j->objects++ : 0,
                                           .node = is_asked_for(j, node) ? node : JSON_TREE_NONE,
                                           .place = node,
                                           .from = j->at};
    j->at++;
    return JSON_WHOLE;
}

static void close_container(struct json_record *j, const struct level *in)
{
    j->at++;
    j->depth--;
    if (in->place != JSON_TREE_NONE)
        j->seen[in->place].text = mu_span(j->bytes.at + in->from, j->at - in->from);
}

static enum json_taken not_a_text(struct json_record *j, struct mu_span key)
{
    (void)snprintf(j->fault_text, sizeof(j->fault_text), "the value of \"%.*s\" is no text, boolean or null",
                   (int)(key.len < 60 ? key.len : 60), key.at);
    return bad(j, j->at, j->fault_text);
}

/* The value at j->at; a container is only opened. `key` is where it stands, for the fault. */
static enum json_taken take_value(struct json_record *j, int32_t node, struct mu_span key)
{
    struct seen seen = {.kind = SEEN_NOTHING};
    const size_t from = j->at;
    enum json_taken taken;
    switch (j->bytes.at[from]) {
    case '"':
        taken = take_string(j, &seen.text);
        seen.kind = SEEN_TEXT;
        break;
    case '{':
    case '[':
        if (j->texts_only)
            return not_a_text(j, key);
        taken = open_container(j, node);
        seen.kind = SEEN_CONTAINER;
        break;
    case 't':
    case 'f':
        taken = take_word(j, j->bytes.at[from] == 't' ? "true" : "false");
        seen = (struct seen){SEEN_BOOL, mu_span(j->bytes.at + from, j->at - from)};
        break;
    case 'n':
        taken = take_word(j, "null");
        break;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        if (j->texts_only)
            return not_a_text(j, key);
        taken = take_number(j);
        seen = (struct seen){SEEN_NUMBER, mu_span(j->bytes.at + from, j->at - from)};
        break;
    default:
        return j->texts_only ? not_a_text(j, key) : bad(j, from, "broken JSON: a value is due");
    }
    if (taken == JSON_WHOLE && node != JSON_TREE_NONE)
        j->seen[node] = seen;
    return taken;
}

/* The key at j->at, its colon, and the value behind it. */
static enum json_taken take_member(struct json_record *j, const struct level *in)
{
    struct mu_span key = {NULL, 0};
    const size_t from = j->at;
    if (j->bytes.at[from] != '"')
        return bad(j, from, "broken JSON: a key is due");
    const enum json_taken taken = take_string(j, &key);
    if (taken != JSON_WHOLE)
        return taken;
    if (++j->fields > j->most_fields)
        return JSON_FIELDS;
    const uint32_t hash = json_hash(key);
    const enum json_keys_put put = json_keys_put(&j->keys, in->number, key, hash);
    if (put == JSON_KEYS_MEMORY)
        return JSON_MEMORY;
    if (put == JSON_KEYS_TWICE)
        return bad(j, from, "a key stands there twice");
    const int32_t node =
        in->node == JSON_TREE_NONE ? JSON_TREE_NONE : json_tree_key(&j->tree, in->node, key, hash);
    skip_blanks(j);
    if (j->at == j->bytes.len)
        return JSON_CUT;
    if (j->bytes.at[j->at] != ':')
        return bad(j, j->at, "broken JSON: a colon is due");
    j->at++;
    skip_blanks(j);
    return j->at == j->bytes.len ? JSON_CUT : take_value(j, node, key);
}

static enum json_taken take_item(struct json_record *j, struct level *in)
{
    const int64_t item = in->item++;
    return take_value(j,
                      in->node == JSON_TREE_NONE ? JSON_TREE_NONE : json_tree_item(&j->tree, in->node, item),
                      mu_span("", 0));
}

/* From behind the object's opening brace to behind its closing one. */
static enum json_taken walk(struct json_record *j)
{
    bool first = true; /* in its container: nothing, or a member, but no comma */
    while (j->depth) {
        struct level *in = &j->levels[j->depth - 1];
        enum json_taken taken;
        skip_blanks(j);
        if (j->at == j->bytes.len)
            return JSON_CUT;
        if (j->bytes.at[j->at] == (in->object ? '}' : ']')) {
            close_container(j, in);
            first = false;
            continue;
        }
        if (!first) {
            if (j->bytes.at[j->at] != ',')
                return bad(j, j->at,
                           in->object ? "broken JSON: a comma or the object's end is due"
                                      : "broken JSON: a comma or the array's end is due");
            j->at++;
            skip_blanks(j);
            if (j->at == j->bytes.len)
                return JSON_CUT;
        }
        const size_t depth = j->depth;
        taken = in->object ? take_member(j, in) : take_item(j, in);
        if (taken != JSON_WHOLE)
            return taken;
        first = j->depth > depth;
    }
    return JSON_WHOLE;
}

static struct mu_value value_of(const struct json_record *j, size_t column, const struct json_place *place)
{
    const struct seen *seen = &j->seen[place->node];
    if (place->constant)
        return (struct mu_value){MU_VALUE_TEXT, place->text};
    switch (seen->kind) {
    case SEEN_TEXT:
        return values_of(j->how, column, seen->text);
    case SEEN_NUMBER:
        return values_of_number(j->how, column, seen->text);
    case SEEN_BOOL:
        return (struct mu_value){MU_VALUE_TEXT, seen->text};
    case SEEN_CONTAINER:
        return (struct mu_value){MU_VALUE_INVALID, seen->text};
    case SEEN_NOTHING:
        break;
    }
    return (struct mu_value){.state = MU_VALUE_MISSING};
}

static void serve_columns(struct json_record *j)
{
    for (size_t i = 0; i < j->column_count; i++) {
        const struct json_column *c = &j->tree.columns[i];
        size_t at = c->from;
        while (at < c->to && j->seen[j->tree.places[at].node].kind == SEEN_NOTHING)
            at++;
        j->values[i] =
            at < c->to ? value_of(j, i, &j->tree.places[at]) : (struct mu_value){.state = MU_VALUE_MISSING};
    }
}

static bool get_scratch(struct json_record *j, size_t len)
{
    j->scratch_len = 0;
    if (len <= j->scratch_size)
        return true;
    char *more = realloc(j->scratch, len);
    if (!more)
        return false;
    j->scratch = more;
    j->scratch_size = len;
    return true;
}

enum json_taken json_record_take(struct json_record *j, struct mu_span bytes, size_t *used)
{
    *used = 0;
    if (!get_scratch(j, bytes.len))
        return JSON_MEMORY;
    j->bytes = bytes;
    j->at = j->depth = j->fields = 0;
    j->objects = 0;
    if (bytes.at[0] != '{')
        return bad(j, 0, "not an object");
    memset(j->seen, 0, j->tree.node_count * sizeof(*j->seen));
    json_keys_clear(&j->keys);
    enum json_taken taken = open_container(j, 0);
    if (taken == JSON_WHOLE)
        taken = walk(j);
    if (taken == JSON_WHOLE)
        serve_columns(j);
    *used = j->at;
    return taken;
}
