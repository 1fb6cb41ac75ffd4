/* SPDX-License-Identifier: Apache-2.0 */
/* Text that is not ours, shown so that it does nothing: neither to a page nor to a terminal, nor to the order in which the
 * words around it are read. Control characters, those that change the direction of writing and those without a width
 * become visible (⟨U+202E⟩, a line break ⏎), and bytes that are not UTF-8 become U+FFFD. */
#ifndef MU_HTML_H
#define MU_HTML_H

#include "base/text.h"

void mu_visible_add(struct mu_text *t, struct mu_span bytes);
/* The same with what has a meaning in HTML and XML escaped, in text and within quotes. */
void mu_html_add(struct mu_text *t, struct mu_span bytes);
void mu_html_puts(struct mu_text *t, const char *text);

#endif
