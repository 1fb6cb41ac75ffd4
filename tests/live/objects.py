# SPDX-License-Identifier: Apache-2.0
"""Objects of the NATS object store as its clients put them (ADR-20), by hand: also such as no client puts."""
import base64
import hashlib
import json
import os


def encoded(data):
    return base64.urlsafe_b64encode(data).decode()


def make_bucket(nats, bucket, **more):
    got = nats.api("STREAM.CREATE.OBJ_" + bucket, dict({
        "name": "OBJ_" + bucket, "subjects": [f"$O.{bucket}.C.>", f"$O.{bucket}.M.>"], "storage": "file", "max_bytes": 256 << 20,
        "discard": "new", "allow_rollup_hdrs": True, "allow_direct": True}, **more))
    assert "error" not in got, got


def describe(nats, bucket, name, **meta):
    """The message that describes an object, in place of an earlier one."""
    nats.publish_stream(f"$O.{bucket}.M.{encoded(name.encode())}", json.dumps(dict({"name": name, "bucket": bucket}, **meta)),
                        {"Nats-Rollup": "sub"})


def put_object(nats, bucket, name, data, chunk=131072, sizes=None, between=lambda: None, **meta):
    """Chunks of `chunk` bytes, or of `sizes`; `between` is called between two of them. Returns the nuid."""
    nuid, at, count = os.urandom(11).hex(), 0, 0
    sizes = list(sizes or [])
    while at < len(data):
        size = sizes.pop(0) if sizes else chunk
        nats.publish_stream(f"$O.{bucket}.C.{nuid}", data[at:at + size])
        at, count = at + size, count + 1
        between()
    describe(nats, bucket, name, **dict({
        "nuid": nuid, "size": len(data), "chunks": count, "digest": "SHA-256=" + encoded(hashlib.sha256(data).digest()),
        "options": {"max_chunk_size": chunk}}, **meta))
    return nuid


def replace_object(nats, bucket, name, nuid, data, **more):
    """As a client does it: the new one, then the chunks of the old one go."""
    new = put_object(nats, bucket, name, data, **more)
    drop_chunks(nats, bucket, nuid)
    return new


def drop_chunks(nats, bucket, nuid):
    got = nats.api("STREAM.PURGE.OBJ_" + bucket, {"filter": f"$O.{bucket}.C.{nuid}"})
    assert got.get("success"), got


def delete_object(nats, bucket, name, nuid):
    describe(nats, bucket, name, nuid=nuid, size=0, chunks=0, digest="", deleted=True)
    drop_chunks(nats, bucket, nuid)
