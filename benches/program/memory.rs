//! Peak memory at 100,000 and at 1,000,000 personas.

use crate::bench::Bench;

impl Bench {
    pub fn memory(&self) {
        println!("\nmemory: 200 slots, no rate limit, peak resident memory (VmHWM)");
        let mut peaks = Vec::new();
        for many in [100_000, 1_000_000] {
            let personas = self.personas(many);
            let taken =
                self.run(&personas, self.port, &["--concurrency", "200", "--rpm", "unlimited"]);
            peaks.push(taken.peak_mib);
            println!(
                "  {many:>9} personas: {:.0} MiB, {:.1} s, {}",
                taken.peak_mib,
                taken.wall.as_secs_f64(),
                taken.out.lines().last().unwrap_or_default()
            );
        }
        println!("  {:.2} times", peaks[1] / peaks[0]);
    }
}
