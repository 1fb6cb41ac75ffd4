# SPDX-License-Identifier: Apache-2.0
"""What proofs share."""
import os

import reference_data as data

# pack -> records of its made input: enough that each of its faults occurs at one record in a hundred
PACKS = {"data-quality": 2400, "emir-refit-core": 6000, "identifiers": 2400, "late-reporting": 2400, "rts22-core": 7600,
         "securities-master": 3000, "us-aml": 2400}


class Skip(Exception):
    """Raised by a proof that cannot run here, with the reason."""


def public(name):
    """A file of the public test data, which are no part of the tree; MUSTER_TEST_DATA says where they are."""
    path = os.path.join(os.environ.get("MUSTER_TEST_DATA", os.path.join(os.path.dirname(data.ROOT), "shared", "data")),
                        name)
    if not os.path.exists(path):
        raise Skip("the folder of test data is not there (MUSTER_TEST_DATA)")
    return path
