/* SPDX-License-Identifier: Apache-2.0 */
/* A stored message in the form of the JSON API: subject, sequence, headers and data in base64. */
#include "outside/bus_inside.h"
#include "format/json.h"

#include <openssl/evp.h>

/* *out is the caller's, with a NUL behind it; an absent text is no bytes. */
static bool decode(const char *base64, unsigned char **out, size_t *len, struct mu_error *err)
{
    size_t chars = base64 ? strlen(base64) : 0, padding = 0;
    unsigned char *raw = calloc(1, chars / 4 * 3 + 1);
    if (!raw)
        return mu_fail(err, MU_BROKEN, "out of memory");
    while (padding < 2 && padding < chars && base64[chars - 1 - padding] == '=')
        padding++;
    int got = chars ? EVP_DecodeBlock(raw, (const unsigned char *)base64, (int)chars) : 0;
    if (chars % 4 || got < (int)padding) {
        free(raw);
        return mu_fail(err, MU_UNAVAILABLE, "the stored message is not in base64");
    }
    *len = (size_t)got - padding;
    raw[*len] = '\0';
    *out = raw;
    return true;
}

/* "NATS/1.0\r\nName: value\r\n…\r\n\r\n" */
static natsStatus set_headers(natsMsg *m, char *block)
{
    natsStatus s = NATS_OK;
    char *line = strstr(block, "\r\n");
    while (s == NATS_OK && line && line[2] && line[2] != '\r') {
        char *name = line + 2, *end = strstr(name, "\r\n"), *colon = strchr(name, ':');
        if (!end || !colon || colon > end)
            break;
        *end = *colon = '\0';
        char *value = colon + 1 + (colon[1] == ' ');
        if (*value) /* empty values are broken in libnats before 3.11 */
            s = natsMsgHeader_Set(m, name, value);
        *end = '\r';
        line = end;
    }
    return s;
}

static bool make(const char *subject, const unsigned char *data, size_t len, char *headers, natsMsg **out, struct mu_error *err)
{
    natsMsg *m = NULL;
    natsStatus s = natsMsg_Create(&m, subject, NULL, (const char *)data, (int)len);
    if (s == NATS_OK)
        s = set_headers(m, headers);
    if (s != NATS_OK) {
        natsMsg_Destroy(m);
        return bus_fault(err, s, "could not take the stored message");
    }
    *out = m;
    return true;
}

bool message_stored(const json_t *message, struct mu_message **out, struct mu_error *err)
{
    const char *subject = mu_json_text(message, "subject");
    unsigned char *headers = NULL, *data = NULL;
    size_t headers_len = 0, len = 0;
    natsMsg *m = NULL;
    struct arrival *a = NULL;
    if (!subject)
        return mu_fail(err, MU_UNAVAILABLE, "there is no message in it");
    if (decode(mu_json_text(message, "hdrs"), &headers, &headers_len, err) &&
        decode(mu_json_text(message, "data"), &data, &len, err) && make(subject, data, len, (char *)headers, &m, err)) {
        a = message_new(m);
        if (!a) {
            natsMsg_Destroy(m);
            mu_fail(err, MU_BROKEN, "out of memory");
        }
    }
    free(headers);
    free(data);
    if (!a)
        return false;
    a->message.stream_sequence = (uint64_t)mu_json_int(message, "seq", 0);
    *out = &a->message;
    return true;
}
