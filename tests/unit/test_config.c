/* SPDX-License-Identifier: Apache-2.0 */
#include "format/config.h"
#include "format/config_keys.h"
#include "tap.h"

#include <unistd.h>

static bool load(struct mu_config *c, const char *text, const char *const *sets, size_t count, struct mu_error *err)
{
    char path[] = "/tmp/muster-config-XXXXXX";
    int fd = mkstemp(path);
    mu_error_clear(err);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    bool done = mu_config_load(c, path, sets, count, err);
    unlink(path);
    return done;
}

TAP_TEST(defaults_file_environment_and_options_win_in_this_order)
{
    struct mu_config c;
    struct mu_error err = {0};
    const char *const sets[] = {"task.ack_wait=3s"};
    setenv("MUSTER_WORKER_CHECKPOINT", "250ms", 1);
    CHECK(load(&c, "task: { ack_wait = \"2s\"; shard_bytes = \"8MiB\"; }; worker: { checkpoint = \"1s\"; roots = [\"/a\", \"/b\"]; };",
               sets, 1, &err));
    unsetenv("MUSTER_WORKER_CHECKPOINT");
    CHECK_INT(c.task_ack_wait_ms, 3000);
    CHECK_INT(c.task_shard_bytes, 8 << 20);
    CHECK_INT(c.worker_checkpoint_ms, 250);
    CHECK_INT(c.worker_roots.count, 2);
    CHECK_TEXT(c.worker_roots.at[1], "/b");
    CHECK_INT(c.recorder_batch_messages, 5000);
    mu_config_fini(&c);
}

TAP_TEST(times_may_be_days_and_years_and_nothing_needs_no_unit)
{
    struct mu_config c;
    struct mu_error err = {0};
    const char *const sets[] = {"retention.findings=0", "retention.outcomes=7y", "retention.events=90d", "retention.grace=2w"};
    CHECK(load(&c, "", sets, MU_COUNT(sets), &err));
    CHECK_INT(c.retention_findings_ms, 0);
    CHECK_INT(c.retention_outcomes_ms, INT64_C(7) * 366 * 86400000);
    CHECK_INT(c.retention_events_ms, INT64_C(90) * 86400000);
    CHECK_INT(c.retention_grace_ms, INT64_C(14) * 86400000);
    mu_config_fini(&c);
    const char *const wrong[] = {"retention.findings=7"};
    CHECK(!load(&c, "", wrong, 1, &err));
    CHECK(strstr(err.text, "7y"));
}

TAP_TEST(mistakes_name_the_file_and_the_line)
{
    struct mu_config c;
    struct mu_error err = {0};
    CHECK(!load(&c, "task: {\n  ack_wayt = \"2s\";\n};", NULL, 0, &err));
    CHECK(strstr(err.text, "line 2") && strstr(err.text, "unknown setting task.ack_wayt"));
    CHECK(strstr(err.hint, "task.ack_wait") != NULL);
    CHECK(!load(&c, "task: {\n\n  ack_wait = \"2 s\"; };", NULL, 0, &err));
    CHECK(strstr(err.text, "line 3") && strstr(err.text, "want a time like"));
    CHECK(!load(&c, "recorder: { batch_messages = 5001; };", NULL, 0, &err));
    CHECK(strstr(err.text, "want 1 to 5000") != NULL);
    CHECK(!load(&c, "task { ", NULL, 0, &err));
    CHECK(!mu_config_load(&c, "/no/such/file", NULL, 0, &err));
}

TAP_TEST(secrets_are_not_shown)
{
    struct mu_config c;
    struct mu_error err = {0};
    const char *const sets[] = {"postgres.conninfo=password=hunter2", "nats.password=hunter2"};
    MU_AUTO(mu_text_free) struct mu_text text = {0};
    CHECK(mu_config_load(&c, NULL, sets, 2, &err));
    mu_config_show(&c, &text);
    CHECK(strstr(text.at, "hunter2") == NULL);
    CHECK(strstr(text.at, "postgres.conninfo") != NULL);
    mu_config_fini(&c);
    const char *const wrong[] = {"nats.password="};
    CHECK(mu_config_load(&c, NULL, wrong, 1, &err));
    mu_config_fini(&c);
}

TAP_TEST(the_table_is_alphabetical_and_its_defaults_are_within_limits)
{
    struct mu_config c;
    struct mu_error err = {0};
    for (size_t i = 1; i < mu_config_key_count; i++)
        CHECK(strcmp(mu_config_keys[i - 1].name, mu_config_keys[i].name) < 0);
    CHECK(mu_config_load(&c, "", NULL, 0, &err));
    mu_config_fini(&c);
}

TAP_TEST(the_readme_has_the_table_as_it_is)
{
    MU_AUTO(mu_text_free) struct mu_text table = {0};
    MU_AUTO(mu_text_free) struct mu_text readme = {0};
    char path[600], part[4096];
    size_t got;
    const char *source = getenv("MUSTER_SOURCE");
    if (!source)
        TAP_SKIP("MUSTER_SOURCE is not set");
    snprintf(path, sizeof(path), "%s/README.md", source);
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    while (f && (got = fread(part, 1, sizeof(part), f)) > 0)
        mu_text_add(&readme, mu_span(part, got));
    if (f)
        fclose(f);
    mu_config_markdown(&table);
    if (!readme.at || !strstr(readme.at, table.at))
        TAP_FAIL("README.md has another table of settings; this is the right one:\n%s", table.at);
}

int main(void)
{
    return tap_run();
}
