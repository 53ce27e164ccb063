//! scratch
use sealift_author::*;
use std::error::Error;
fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let r: Result<(), Box<dyn Error>> = (|| match a[0].as_str() {
        "new" => {
            let w = New { name: a[1].clone(), language: a[2].parse()?, kind: match a[3].as_str() {"source"=>sealift_core::plan::Kind::Source,"transform"=>sealift_core::plan::Kind::Transform,"sink"=>sealift_core::plan::Kind::Sink,_=>sealift_core::plan::Kind::Observer}, folder: a[4].clone().into(), sdk: a.get(5).map(Into::into) };
            for f in new(&w)? { println!("{}", f.display()); }
            Ok(())
        }
        "write" => {
            let p = Project::find(a[1].as_ref())?;
            contract::write(&p.folder, p.descriptor.kind, &p.descriptor.requests)?;
            sealift_author::build::write_bindings(&p)?;
            Ok(())
        }
        _ => {
            let p = Project::find(a[1].as_ref())?;
            let m = Machine::of(&|n| std::env::var_os(n));
            let b = build(&p, &m, &|t| eprintln!("  {t}"));
            if let Err(BuildError::Missing { missing, .. }) = &b { for x in missing { eprintln!("  {} -> {}", x.what, x.install); } }
            let b = b?;
            println!("{} {} bytes {} in {:.1} s", b.file.display(), b.inspected.size, b.inspected.digest, b.took.as_secs_f64());
            for i in &b.inspected.imports { println!("    {i}"); }
            Ok(())
        }
    })();
    if let Err(e) = r { let mut t = e.to_string(); let mut s = e.source(); while let Some(c) = s { t += &format!("\n  caused by: {c}"); s = c.source(); } eprintln!("error: {t}"); std::process::exit(1); }
}
