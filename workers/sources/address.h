/* SPDX-License-Identifier: Apache-2.0 */
/* Is an address one of the Internet at large? Everything else (private, loopback, link-local, multicast,
 * reserved, and IPv4 addresses of those kinds in the clothes of IPv6) belongs to somebody's own network, into
 * which a job must not lead an agent. */
#ifndef MU_ADDRESS_H
#define MU_ADDRESS_H

#include "base/base.h"

#include <sys/socket.h>

bool mu_address_is_public(const struct sockaddr *address);

#endif
