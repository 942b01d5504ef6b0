//! Mistakes.
use super::*;
#[test]
fn x() {
    println!(
        "{}",
        said(
            "[timeouts]\nclient_helo = '5s'\nidle = 5\n[[services]]\n[listener]\naddress=['a', 5]\n[[service]]\nport='http'\nhost='A.b'\nmode='terminat'\nallow=['spiffe://x/*', {id='q', form='z'}, 5]\nendpoints=[{address='10.0.0.1:80', wieght=2}]\n[service.subset]\n[[tls]]\nmin=1.2"
        )
    );
    println!("{}", said(&good_service("send_proxy='v2'")));
}
