# args: --single-run -c
# UDP in both directions.
import asyncio
from molotov import scenario

class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(data[::-1], address)

class Once(asyncio.DatagramProtocol):
    def __init__(self, future):
        self.future = future

    def datagram_received(self, data, address):
        self.future.set_result(data)

@scenario()
async def one(session):
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    future = loop.create_future()
    client, _ = await loop.create_datagram_endpoint(lambda: Once(future), remote_addr=server.get_extra_info("sockname"))
    client.sendto(b"abc")
    print("SEEN", await asyncio.wait_for(future, 5))
    client.close()
    server.close()
