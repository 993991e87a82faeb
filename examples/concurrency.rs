//! Loads a page and its parts in parallel, as browsers do.

use molotov::prelude::*;
use molotov_examples::at;

#[scenario]
async fn page(session: &Session) -> Result<()> {
    let (page, user, slow) =
        tokio::join!(session.get(at("/")).send(), session.get(at("/users/7")).send(), session.get(at("/slow")).send(),);
    for response in [page?, user?, slow?] {
        assert_eq!(response.status(), 200);
    }
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
