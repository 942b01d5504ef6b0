"""A client of Python's ssl module, for the tests: client.py MODE PORT NAME

half-close  sends a line, ends its side by close_notify, and prints the answer
cut         sends a line and ends its side by a bare FIN, as socket.shutdown does under TLS
ask         prints what it reads first, or the error
anonymous   as ask, without a certificate
"""

import socket
import ssl
import sys

mode, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
# The gateway is known by its SPIFFE ID, not by a host name.
context.check_hostname = False
context.load_verify_locations("cluster-2.pem")
if mode != "anonymous":
    context.load_cert_chain("sleep.pem", "sleep.key")
context.set_alpn_protocols(["istio"])


def known(certificate):
    return ("URI", "spiffe://cluster.local/ns/istio-system/sa/eastwest") in certificate["subjectAltName"]


def half_close(tcp):
    # The buffered form can end one side alone; SSLSocket.unwrap wants the other side's end as well.
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)

    def until_done(step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                tcp.sendall(outgoing.read())
                received = tcp.recv(65536)
                incoming.write(received) if received else incoming.write_eof()

    until_done(tls.do_handshake)
    assert known(tls.getpeercert())
    tls.write(b"a line from python\n")
    try:
        tls.unwrap()
    except ssl.SSLWantReadError:
        tcp.sendall(outgoing.read())
    while True:
        try:
            piece = until_done(lambda: tls.read(65536))
        except ssl.SSLZeroReturnError:
            break
        if not piece:
            break
        print(piece.decode(), end="")


try:
    tcp = socket.create_connection(("127.0.0.1", port))
    if mode == "half-close":
        half_close(tcp)
    else:
        tls = context.wrap_socket(tcp, server_hostname=name)
        assert known(tls.getpeercert())
        if mode == "cut":
            tls.sendall(b"a line from python\n")
            tls.shutdown(socket.SHUT_WR)
        print(tls.recv(65536))
except OSError as error:
    sys.exit(f"{type(error).__name__}: {error}")
