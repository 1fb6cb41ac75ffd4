/* SPDX-License-Identifier: Apache-2.0 */
/* `muster pack manual`: what muster-pack(7) is made of. Functions, checks and keys are described where they are defined:
 * here is only what lies between them. A line that begins with '#' is a heading, one that begins with '-' an entry whose
 * text follows behind a tab; what is indented is shown as it stands. */
#include "engine/check.h"
#include "engine/expr/function.h"
#include "pack.h"

static const char beginning[] =
    "#NAME\n"
    "muster-pack: rule packs of muster, and the language of their rules\n"
    "#DESCRIPTION\n"
    "A rule pack is one JSON document that says what must hold of the records of a source. It is data, not a program: what it needs "
    "can be seen before it runs, and it gives the same findings whenever and wherever it runs.\n"
    "\n"
    "    {\"muster_pack\": 1, \"pack\": \"trades\", \"version\": \"1.0.0\", \"title\": \"Trades of the day\",\n"
    "     \"columns\": {\"isin\": {\"type\": \"text\"}, \"amount\": {\"type\": \"decimal\"}},\n"
    "     \"params\": {\"limit\": {\"type\": \"decimal\", \"default\": \"10000.00\"}},\n"
    "     \"rules\": [{\"id\": \"T.ISIN\", \"severity\": \"high\", \"where\": \"not is_missing(isin)\", \"expr\": \"isin_valid(isin)\",\n"
    "       \"cases\": [{\"rows\": [{\"isin\": \"US0378331005\"}, {\"isin\": \"US0378331004\"}], \"expect\": {\"pass\": 1, \"fail\": 1}}]},\n"
    "      {\"id\": \"T.LIMIT\", \"severity\": \"medium\", \"expr\": \"amount <= :limit\"}]}\n"
    "\n"
    "`muster pack lint` finds its mistakes, `muster pack test` runs its cases, `muster check FILE --pack PACK` runs it over a file, "
    "`muster pack load` puts it where jobs find it. A version once loaded cannot be changed, only superseded by a higher one.\n"
    "#KEYS OF A PACK\n"
    "-muster_pack\tThe form of the document: 1.\n"
    "-pack, version, title\tIts name (a-z, 0-9, -), a semantic version (1.0.0), and a line for people.\n"
    "-columns\tName to {type, mask, empty}: what a source must provide. The source's description, not the pack, says where in the "
    "source a column is found. mask says how values appear in findings: none, hash, last4, drop. \"empty\": \"value\" makes the empty "
    "text a value instead of missing.\n"
    "-lists\tAlias to name@version of a reference list. A bare name means the highest version when a job is submitted, and is pinned "
    "then.\n"
    "-params\tName to {type, default}, written :name in expressions. A parameter without default must be given by the job.\n"
    "-let\tName to an expression over columns and params, used like a column.\n"
    "-identity\tColumns that name a record across deliveries: a finding's fingerprint then survives reordering and new files.\n"
    "-rules\tThe rules, in any order.\n"
    "#KEYS OF A RULE\n"
    "-id, title, cites\tA-Z, 0-9, dots; a line for people; the sources that it rests on.\n"
    "-severity\tinfo, low, medium, high or critical.\n"
    "-mode\tactive (default); shadow: findings are marked and decide nothing; off: not run, and said so.\n"
    "-effective\t[from, to), days or null, compared with the job's as_of. Outside of them the rule is not evaluated.\n"
    "-where\tA condition on the record. False: out of scope; missing: not evaluated; invalid: error.\n"
    "-expr\tWhat must hold of a record. True: pass; false: fail; missing: not evaluated; invalid: error.\n"
    "-group_by, having\tKey name to expression, and a condition on the group: true is a finding.\n"
    "-value, bands\tA number about the group, and what it comes to: the first band whose lt it is below, the last one has none.\n"
    "-window\t{on, size, emit}: on names a key that is a date or a whole number; each of its values is judged with those before it "
    "within the size (\"30d\", \"7\"). emit runs makes one finding of flagged values that follow each other.\n"
    "-check, with\tA check of the list below, and its parameters.\n"
    "-mostly\tA share like \"0.99\": the rule as a whole has one verdict, pass if that share of what was judged passes.\n"
    "-min_coverage\tA share like \"0.99\" (default 1): how much of what is in scope must have been judged for a pass.\n"
    "-max_findings\tFindings beyond it are counted and not told.\n"
    "-evidence\tName to expression: values that findings show.\n"
    "-message\tThe sentence of findings; {name} stands for evidence, keys, params, and of row rules columns.\n"
    "-cases, given\tThe rule's tests, see below.\n"
    "#VALUES\n"
    "A column or parameter is text, decimal, date, timestamp or bool; durations (30d, 24h, 5min, 10s) are literals and differences. "
    "Nothing converts by itself: isin = 1 is refused. Decimals are exact, up to 38 digits; only / rounds, to 18 decimals, so that a "
    "quotient should not be compared: multiply instead. Text literals stand in single quotes, doubled inside; date '2026-03-02', "
    "timestamp '2026-03-02T14:00:00Z'.\n"
    "\n"
    "A value is present, missing (absent, null, empty or declared so), or invalid (not readable as its type, or the result of an "
    "operation that failed). An invalid operand makes the result invalid, else a missing one makes it missing; a comparison with missing "
    "is never true: use is_missing. `and` is false if an operand is false, whatever the other one is; `or` is its dual; if and coalesce "
    "look only at what they need.\n"
    "\n"
    "Precedence, loosest first: or; and; not; comparisons and in; + - ||; * / %; unary -. Comparisons do not chain.\n";

static const char middle[] =
    "#PATTERNS\n"
    "Patterns match whole texts: characters, . [a-z] [^..] ( ) | * + ? {m} {m,n} with n up to 512, and \\\\ before punctuation. No looking "
    "back, and a bounded amount of work: a limit that is hit makes the result invalid, never a pass.\n"
    "#GROUP RULES\n"
    "Outside of an aggregate only keys and params are visible. A record whose key is missing counts as one not evaluated. Aggregates skip "
    "missing operands and count them: a group that would pass is not evaluated then, a finding stays one and says what was skipped. "
    "Without group_by all records are one group. A pack with group rules runs as one task.\n"
    "#CASES\n"
    "A case is {name, rows, params, as_of, expect}. Values of rows are texts, true, false or null, which is missing; a column that a row "
    "leaves out has the value of the rule's given, or is missing. as_of is the first effective day, or 2026-01-01, unless it is given. "
    "expect has the counts of pass, warn, fail, error, not_evaluated and out_of_scope (0 if left out), and keys: the flagged groups, each "
    "an array of its keys as texts, in the order of their names. A rule with mostly comes to one verdict. The mode does not matter, and "
    "nothing is masked.\n"
    "\n"
    "    \"given\": {\"person\": \"P1\", \"ts\": \"2026-03-02T14:00:00Z\", \"amount\": \"9999.99\"},\n"
    "    \"cases\": [{\"name\": \"adds up\", \"rows\": [{}, {\"amount\": \"0.02\"}],\n"
    "               \"expect\": {\"fail\": 1, \"keys\": [[\"2026-03-02\", \"P1\"]]}}]\n";

static void print_function(const struct mu_function *f)
{
    printf("-%s\t%s%s. Example: %s\n", f->form, f->aggregate != MU_AGG_NONE ? "An aggregate, of group rules. " : "",
           f->check ? "The verdict of the check of that name, strict" : f->gives == 'b' ? "True or false" : f->gives == 't' ? "Text"
           : f->gives == 'n' ? "Decimal" : f->gives == 'd' ? "Date" : f->gives == 's' ? "Timestamp" : f->gives == 'u' ? "Duration"
           : "Of its operands' type", f->example);
    if (f->alias)
        printf("It looks into the list %s, or the one that the pack calls %s.\n", f->list, f->alias);
}

enum cli_exit pack_manual(struct cli *cli, const struct pack_words *w)
{
    const struct mu_function *f;
    const struct mu_check *check;
    (void)cli;
    (void)w;
    fputs(beginning, stdout);
    puts("#OPERATORS");
    size_t i = 0;
    for (; (f = mu_function_at(i)) && strcmp(f->name, "abs") != 0; i++)
        print_function(f);
    puts("#FUNCTIONS");
    for (; (f = mu_function_at(i)); i++)
        print_function(f);
    puts("#CHECKS");
    for (i = 0; (check = mu_check_at(i)); i++)
        printf("-%s\t%s. Example: \"check\": \"%s\", \"with\": %s\n", check->name, check->title, check->name, check->example);
    puts("-unique\tNo two records have the same values in these columns. Example: \"check\": \"unique\", \"with\": {\"columns\": "
         "[\"trade_id\"]}");
    fputs(middle, stdout);
    return CLI_DONE;
}
