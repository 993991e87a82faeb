"""Hits the target of compose.yaml, or what SERVICE names."""

import os

import molotov

SERVICE = os.environ.get("SERVICE", "http://target")


@molotov.scenario()
async def home(session):
    async with session.get(SERVICE) as response:
        assert response.status == 200
        await response.read()
