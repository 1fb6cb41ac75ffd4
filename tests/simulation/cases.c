/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include "broker.h"
#include "checker.h"
#include "database.h"
#include "programs.h"

static void nothing_wrong(void)
{
    schedule_programs(1, 1, 2);
    struct submission *s = workload_add(DOOR_ARRAY, SECOND_US);
    workload_put(s, template_find("records-3"));
    workload_put(s, template_find("records-4"));
    workload_put(workload_add(DOOR_API, SECOND_US), template_find("planned"));
    workload_put(workload_add(DOOR_INTAKE, SECOND_US), template_find("long"));
}

const struct named_case named_cases[] = {
    {"without_a_fault_everything_ends_as_it_must", "-", nothing_wrong, NULL},
};
const size_t named_case_count = MU_COUNT(named_cases);
