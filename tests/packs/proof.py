# SPDX-License-Identifier: Apache-2.0
"""What proofs share."""


class Skip(Exception):
    """Raised by a proof that cannot run here, with the reason."""
