/* SPDX-License-Identifier: Apache-2.0 */
#include "statements.h"

const struct mu_statement cli_statements[SQL_COUNT] = {
    [SQL_AUDIT_VERIFY] = {"audit verify", "select seq, fault, detail, links, encode(head, 'hex') "
                                          "from muster.audit_verify($1::bigint, $2::bigint, $3::int)"},
};
