/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/json_follow.h"

/* The quote that ends the text, passed; or the bytes' end. */
static size_t follow_text(struct json_follow *f, struct mu_span bytes, size_t i)
{
    if (f->escaped && i < bytes.len) {
        f->escaped = false;
        i++;
    }
    for (; i < bytes.len; i++) {
        if (bytes.at[i] == '"') {
            f->in_text = false;
            return i + 1;
        }
        if (bytes.at[i] == '\\' && ++i == bytes.len)
            f->escaped = true;
    }
    return bytes.len;
}

bool json_follow(struct json_follow *f, struct mu_span bytes, size_t *used)
{
    size_t i = 0;
    while (i < bytes.len) {
        if (f->in_text) {
            i = follow_text(f, bytes, i);
            continue;
        }
        const char byte = bytes.at[i];
        *used = i;
        if ((byte == ',' || byte == ']') && f->depth == 0)
            return true;
        i++;
        if (byte == '"') {
            f->in_text = true;
        } else if (byte == '{' || byte == '[') {
            f->depth++;
        } else if ((byte == '}' || byte == ']') && f->depth > 0 && --f->depth == 0) {
            *used = i;
            return true;
        }
    }
    *used = bytes.len;
    return false;
}
