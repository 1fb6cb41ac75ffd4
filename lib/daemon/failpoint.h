/* SPDX-License-Identifier: Apache-2.0 */
/* Places where a test may have the process die, stop, hang or wait: MUSTER_FAIL=<point>[:n]=crash|stop|hang|
 * delay:<ms>, several separated by commas; n: at the n-th passage (default 1, for delay: at every one). Compiled in
 * only with MUSTER_FAILPOINTS (every build type but release). */
#ifndef MU_FAILPOINT_H
#define MU_FAILPOINT_H

#ifdef MUSTER_FAILPOINTS
void mu_failpoint(const char *point);
#define MU_FAILPOINT(point) mu_failpoint(point)
#else
#define MU_FAILPOINT(point) ((void)0)
#endif

#endif
