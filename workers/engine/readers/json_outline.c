/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/json_outline.h"
#include "engine/readers/json_text.h"
#include "engine/readers/json_tree.h"

bool json_outline_init(struct json_outline *o, struct mu_span pointer, struct mu_error *err)
{
    char token[OUTLINE_KEY_MAX * 2];
    struct mu_span rest = pointer;
    size_t len;
    *o = (struct json_outline){.pointer = pointer, .state = OUTLINE_VALUE, .hit = true};
    if (pointer.len > sizeof(token))
        return mu_reject(err, "bad_task", "/source/record", "the pointer is longer than %zu bytes",
                         sizeof(token));
    for (; rest.len; o->tokens++)
        if (!json_pointer_token(&rest, token, &len) || len > OUTLINE_KEY_MAX)
            return mu_reject(err, "bad_task", "/source/record",
                             "want a JSON Pointer (\"/data/trades\") to the array of the records");
    if (o->tokens >= OUTLINE_DEPTH_MAX)
        return mu_reject(err, "bad_task", "/source/record", "the array would be deeper than %d levels",
                         OUTLINE_DEPTH_MAX);
    return true;
}

/* Is this the pointer's next token? */
static bool is_step(const struct json_outline *o, struct mu_span key)
{
    char token[OUTLINE_KEY_MAX * 2];
    struct mu_span rest = o->pointer;
    size_t len = 0;
    for (size_t i = 0; i <= o->on_way - 1; i++)
        if (!json_pointer_token(&rest, token, &len))
            return false;
    return mu_span_equal(key, mu_span(token, len));
}

static bool on_the_way(const struct json_outline *o)
{
    return o->depth > 0 && o->on_way == o->depth && o->on_way <= o->tokens;
}

static enum outline_step broken(struct json_outline *o, const char *fault)
{
    o->fault = fault;
    return OUTLINE_BROKEN;
}

/* A value is due in the innermost container: is it the one? */
static void item_is_due(struct json_outline *o)
{
    char number[24];
    o->hit = false;
    if (o->entered || !on_the_way(o) || o->kinds[o->depth - 1] != '[')
        return;
    const int len = snprintf(number, sizeof(number), "%lld", (long long)o->item++);
    o->hit = is_step(o, mu_span(number, (size_t)len));
}

static void key_is_read(struct json_outline *o)
{
    char key[OUTLINE_KEY_MAX];
    size_t len;
    o->hit = on_the_way(o) && o->key_len <= OUTLINE_KEY_MAX &&
             json_unescape(mu_span(o->key, o->key_len), key, &len) && is_step(o, mu_span(key, len));
}

static enum outline_step open_container(struct json_outline *o, char kind)
{
    const bool whole = o->hit && o->on_way == o->tokens;
    if (o->depth == OUTLINE_DEPTH_MAX)
        return broken(o, "it is deeper than 64 levels");
    if (whole && kind != '[')
        return broken(o, o->tokens ? "what \"record\" points to is no array" : "the document is no array");
    if (whole && o->entered)
        return broken(o, "the array of the records stands there twice");
    o->kinds[o->depth++] = kind;
    if (o->hit)
        o->item = 0;
    o->on_way += o->hit;
    o->hit = false;
    o->state = kind == '[' ? OUTLINE_VALUE_OR_END : OUTLINE_KEY_OR_END;
    if (!whole)
        return OUTLINE_MORE;
    o->entered = true;
    return OUTLINE_ARRAY;
}

static enum outline_step close_container(struct json_outline *o, char byte)
{
    if (!o->depth || (o->kinds[o->depth - 1] == '[') != (byte == ']'))
        return broken(o, "a bracket closes what is not open");
    o->kinds[--o->depth] = '\0';
    if (o->on_way > o->depth) {
        o->on_way = o->depth;
        if (!o->entered)
            return broken(o, "there is no array where \"record\" points to");
    }
    o->state = OUTLINE_AFTER;
    return OUTLINE_MORE;
}

static enum outline_step begin_value(struct json_outline *o, char byte)
{
    if (o->state == OUTLINE_VALUE_OR_END && byte == ']')
        return close_container(o, byte);
    if (o->state == OUTLINE_VALUE_OR_END || (o->depth && o->kinds[o->depth - 1] == '['))
        item_is_due(o);
    if (byte == '{' || byte == '[')
        return open_container(o, byte);
    if (o->hit && o->on_way == o->tokens)
        return broken(o, o->tokens ? "what \"record\" points to is no array" : "the document is no array");
    if (byte == '"') {
        o->in_key = false;
        o->state = OUTLINE_STRING;
        return OUTLINE_MORE;
    }
    if (byte != '-' && !(byte >= '0' && byte <= '9') && byte != 't' && byte != 'f' && byte != 'n')
        return broken(o, "a value is due");
    o->word[0] = byte;
    o->word_len = 1;
    o->state = OUTLINE_WORD;
    return OUTLINE_MORE;
}

static bool is_word(const struct json_outline *o)
{
    const struct mu_span word =
        mu_span(o->word, o->word_len < sizeof(o->word) ? o->word_len : sizeof(o->word));
    return o->word[0] < 'a' || mu_span_is(word, "true") || mu_span_is(word, "false") ||
           mu_span_is(word, "null");
}

static enum outline_step after_value(struct json_outline *o, char byte)
{
    if (!o->depth)
        return broken(o, "something stands behind the document");
    if (byte == '}' || byte == ']')
        return close_container(o, byte);
    if (byte != ',')
        return broken(o, "a comma is due");
    o->state = o->kinds[o->depth - 1] == '[' ? OUTLINE_VALUE : OUTLINE_KEY;
    return OUTLINE_MORE;
}

static enum outline_step in_string(struct json_outline *o, char byte)
{
    if (byte == '"' && o->state == OUTLINE_STRING) {
        if (o->in_key)
            key_is_read(o);
        o->state = o->in_key ? OUTLINE_COLON : OUTLINE_AFTER;
        return OUTLINE_MORE;
    }
    if ((unsigned char)byte < 0x20)
        return broken(o, "a control character in a text");
    if (o->in_key) {
        if (o->key_len < OUTLINE_KEY_MAX)
            o->key[o->key_len] = byte;
        o->key_len++;
    }
    o->state = o->state == OUTLINE_STRING && byte == '\\' ? OUTLINE_ESCAPE : OUTLINE_STRING;
    return OUTLINE_MORE;
}

static enum outline_step begin_key(struct json_outline *o, char byte)
{
    if (byte == '}' && o->state == OUTLINE_KEY_OR_END)
        return close_container(o, byte);
    if (byte != '"')
        return broken(o, "a key is due");
    o->in_key = true;
    o->key_len = 0;
    o->state = OUTLINE_STRING;
    return OUTLINE_MORE;
}

static enum outline_step take(struct json_outline *o, char byte)
{
    if (o->state == OUTLINE_WORD) {
        if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || (byte && strchr("+-.E", byte))) {
            if (o->word_len < sizeof(o->word))
                o->word[o->word_len] = byte;
            o->word_len++;
            return OUTLINE_MORE;
        }
        if (!is_word(o))
            return broken(o, "a value is due");
        o->state = OUTLINE_AFTER;
    }
    if (o->state == OUTLINE_STRING || o->state == OUTLINE_ESCAPE)
        return in_string(o, byte);
    if (json_blank(byte))
        return OUTLINE_MORE;
    if (o->state == OUTLINE_VALUE || o->state == OUTLINE_VALUE_OR_END)
        return begin_value(o, byte);
    if (o->state == OUTLINE_KEY || o->state == OUTLINE_KEY_OR_END)
        return begin_key(o, byte);
    if (o->state == OUTLINE_AFTER)
        return after_value(o, byte);
    if (byte != ':')
        return broken(o, "a colon is due");
    o->state = OUTLINE_VALUE;
    return OUTLINE_MORE;
}

enum outline_step json_outline_feed(struct json_outline *o, struct mu_span bytes, size_t *used)
{
    for (*used = 0; *used < bytes.len; ++*used) {
        const enum outline_step step = take(o, bytes.at[*used]);
        if (step == OUTLINE_BROKEN)
            return step;
        if (step == OUTLINE_ARRAY) {
            ++*used;
            return step;
        }
    }
    return OUTLINE_MORE;
}

void json_outline_leave(struct json_outline *o)
{
    (void)close_container(o, ']');
}

bool json_outline_enter(struct json_outline *o, struct mu_span kinds)
{
    if (kinds.len != o->tokens + 1 || kinds.len > OUTLINE_DEPTH_MAX || kinds.at[kinds.len - 1] != '[')
        return false;
    for (size_t i = 0; i < kinds.len; i++)
        if (kinds.at[i] != '[' && kinds.at[i] != '{')
            return false;
    memcpy(o->kinds, kinds.at, kinds.len);
    o->kinds[kinds.len] = '\0';
    o->depth = o->on_way = kinds.len;
    o->entered = true;
    o->hit = false;
    o->state = OUTLINE_VALUE_OR_END;
    return true;
}

bool json_outline_at_end(const struct json_outline *o)
{
    return !o->depth && o->state == OUTLINE_AFTER;
}
