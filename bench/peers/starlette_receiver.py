"""What a careful Python programmer would write for the same promise: hash, temporary file, fsync, rename, fsync of
the folder, a row with fdatasync. No gate, no inspection, no sidecar.

Blocking calls in the event loop on purpose: with a pool of threads it takes more CPU and is no faster here.
"""

import hashlib
import json
import os
import time
import uuid

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

STORE = os.environ["CIS490_BENCH_STORE"]
INCOMING = os.path.join(STORE, "incoming")
HEALTH = os.path.join(STORE, "host-health")
for folder in (INCOMING, HEALTH):
    os.makedirs(folder, exist_ok=True)
INDEX = os.open(os.path.join(STORE, "index.jsonl"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)


def sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(path: str) -> None:
    if not os.path.isdir(path):
        os.makedirs(path, exist_ok=True)
        sync_folder(os.path.dirname(path))


async def receive(request: Request, path: str) -> str:
    digest = hashlib.sha256()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        async for chunk in request.stream():
            if chunk:
                digest.update(chunk)
                os.write(fd, chunk)
        os.fsync(fd)
    finally:
        os.close(fd)
    return digest.hexdigest()


async def put_episode(request: Request) -> Response:
    name = request.path_params["name"]
    folder = os.path.join(STORE, hashlib.sha256(name.encode()).hexdigest()[:2])
    target = os.path.join(folder, name)
    if os.path.exists(target):
        return JSONResponse({"error": "exists"}, 409)
    part = os.path.join(INCOMING, f"{uuid.uuid4()}.part")
    sha256 = await receive(request, part)
    if sha256 != request.headers.get("x-content-sha256"):
        os.unlink(part)
        return JSONResponse({"error": "sha256-mismatch"}, 422)
    make_folder(folder)
    os.rename(part, target)
    sync_folder(folder)
    row = {"id": name, "sha256": sha256, "bytes": os.path.getsize(target), "received_at": time.time()}
    os.write(INDEX, (json.dumps(row) + "\n").encode())
    os.fdatasync(INDEX)
    return JSONResponse(row, 201)


async def put_report(request: Request) -> Response:
    body = await request.body()
    if not isinstance(json.loads(body), dict):
        return JSONResponse({"error": "bad-report"}, 400)
    part = os.path.join(HEALTH, f"{uuid.uuid4()}.part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        os.write(fd, body)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(part, os.path.join(HEALTH, f"{request.path_params['host']}.json"))
    sync_folder(HEALTH)
    return Response(status_code=204)


app = Starlette(
    routes=[
        Route("/v1/episodes/{name}", put_episode, methods=["PUT"]),
        Route("/v1/host-health/{host}", put_report, methods=["PUT"]),
    ]
)
