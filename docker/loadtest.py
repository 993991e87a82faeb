"""Tests the server of compose.yaml, or the one that SERVICE names."""

import os

import molotov

SERVICE = os.environ.get("SERVICE", "http://target")


@molotov.scenario()
async def home(session):
    async with session.get(SERVICE) as response:
        assert response.status == 200
        await response.read()
