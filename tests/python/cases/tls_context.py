# args: --single-run -c
# SSL contexts: roots, names, versions, and the client's certificate.
import os
import pathlib
import ssl
import aiohttp
from molotov import scenario

TLS = pathlib.Path(__file__).resolve().parent.parent / "tls"

def trusting():
    return ssl.create_default_context(cafile=str(TLS / "server.pem"))

def by_data():
    return ssl.create_default_context(cadata=(TLS / "server.pem").read_text())

def by_der():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ssl.PEM_cert_to_DER_cert((TLS / "server.pem").read_text()))
    return context

def beside_the_system():
    context = ssl.create_default_context()
    context.load_verify_locations(TLS / "server.pem")
    return context

def without_checks():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

def another_root():
    return ssl.create_default_context(cafile=str(TLS / "client.pem"))

def any_name():
    context = trusting()
    context.check_hostname = False
    return context

def older():
    context = trusting()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context

def newer():
    context = trusting()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context

def with_certificate():
    context = trusting()
    context.load_cert_chain(TLS / "client.pem", TLS / "client.key")
    return context

def bare():
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

MADE = [trusting, by_data, by_der, beside_the_system, without_checks, another_root, any_name, older, newer, with_certificate,
        bare, ssl._create_unverified_context]
NAMED = {make.__name__: make() for make in MADE}

@scenario()
async def one(session):
    url = os.environ["TARGET_TLS"] + "/tls"
    for name, context in NAMED.items():
        try:
            async with session.get(url, ssl=context) as response:
                print("SEEN", name, await response.json())
        except aiohttp.ClientError as error:
            print("SEEN", name, type(error).__name__)
    async with session.get(url, ssl_context=NAMED["trusting"]) as response:
        print("SEEN", await response.json())
    # A context that changes counts as it is.
    NAMED["another_root"].load_verify_locations(TLS / "server.pem")
    async with session.get(url, ssl=NAMED["another_root"]) as response:
        print("SEEN", await response.json())
