//! Writes the catalogues of the testkit as seeds: `cargo run --bin seeds` in this folder.

use std::{fs, io, path::Path};

use monocloud_testkit::{Control, DpopRequest, Hostile, HostileProof, ProofControl};
use world::{URL, WORLD, bytes};

fn main() -> io::Result<()> {
    let tenant = &WORLD.tenant;
    let hostile = Hostile::all(tenant).into_iter().map(|it| it.token);
    let controls = Control::all(tenant).into_iter().map(|it| it.token);
    write("token", "Bearer ", hostile.chain(controls))?;
    let request = DpopRequest::new(tenant.token(), "GET", URL);
    let hostile = HostileProof::all(&request).into_iter().map(|it| it.headers);
    let controls = ProofControl::all(&request).into_iter().map(|it| it.headers);
    let proofs = hostile.chain(controls).flatten().filter(|(name, _)| name == "dpop");
    write("proof", "", proofs.filter_map(|(_, value)| Some(value.to_str().ok()?.to_owned())))
}

/// Each JWT as it stands in a header, as its segments, and as its segments to be signed.
fn write(target: &str, before: &str, jwts: impl Iterator<Item = String>) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    for (number, jwt) in jwts.enumerate() {
        let raw = [&[0], before.as_bytes(), jwt.as_bytes()].concat();
        fs::write(folder.join(format!("raw-{number}")), raw)?;
        let Some(bytes) = bytes(&jwt) else { continue };
        for (mode, name) in [(1, "segments"), (2, "signed")] {
            fs::write(folder.join(format!("{name}-{number}")), [&[mode], &*bytes].concat())?;
        }
    }
    Ok(())
}
