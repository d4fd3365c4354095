"""The style sheet of the HTML pages: light or dark as the reader's system is, and readable on paper."""

from __future__ import annotations

STYLE = """\
:root { --ink: #1d2129; --soft: #5b6472; --line: #dfe3e8; --page: #ffffff; --panel: #f6f7f9; --accent: #1f5fa8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --soft: #9aa4b2; --line: #343a43; --page: #16191d; --panel: #1e2228; --accent: #7fb2ea; }
}
html { color-scheme: light dark; }
body { margin: 0; background: var(--page); color: var(--ink); font: 17px/1.55 Georgia, "Times New Roman", serif; }
main { max-width: 56rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
header { border-bottom: 1px solid var(--line); margin-bottom: 1.5rem; padding-bottom: 1rem; }
h1 { font-size: 1.9rem; font-weight: normal; margin: 0.1rem 0 0.4rem; overflow-x: auto; overflow-y: hidden; padding: 0.2rem 0; }
h2 { font-size: 1.05rem; margin: 0 0 0.4rem; }
.kind, .spec { color: var(--soft); margin: 0; }
code { font: 0.9em/1.4 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
ol.steps { list-style: none; counter-reset: step; margin: 0; padding: 0; }
ol.steps > li { counter-increment: step; position: relative; padding: 0 0 1.4rem 2.4rem; }
ol.steps > li::before { content: counter(step); position: absolute; left: 0; top: 0.05rem; width: 1.6rem;
  height: 1.6rem; border: 1px solid var(--line); border-radius: 50%; color: var(--soft); font-size: 0.85rem;
  line-height: 1.6rem; text-align: center; }
.source { color: var(--accent); font-size: 0.8rem; font-weight: normal; margin-left: 0.5rem; text-decoration: none; }
.source:hover { text-decoration: underline; }
.statement { color: var(--soft); overflow-x: auto; overflow-y: hidden; padding: 0.2rem 0; }
.claim { overflow-x: auto; overflow-y: hidden; padding: 0.2rem 0; }
.formula { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; margin: 0.6rem 0 0;
  overflow-x: auto; overflow-y: hidden; padding: 0.7rem 1rem; }
.where { align-items: baseline; display: flex; gap: 0.8rem; margin-top: 0.6rem; }
.where > span { color: var(--soft); font-style: italic; }
.where ul { list-style: none; margin: 0; padding: 0; }
.where li { padding: 0.1rem 0; }
.note { border-left: 3px solid var(--accent); margin: 0.6rem 0 0; padding: 0.1rem 0 0.1rem 0.8rem; }
.notes, .sources { border-top: 1px solid var(--line); color: var(--soft); font-size: 0.9rem; margin-top: 1rem;
  padding-top: 1rem; }
.sources ul { list-style: none; margin: 0; padding: 0; }
.sources li { margin: 0.3rem 0; }
math { font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math", "Libertinus Math",
  "TeX Gyre Termes Math", "DejaVu Math TeX Gyre", "Noto Sans Math", math; font-size: 1.08em; }
math[display="block"] { text-align: left; margin: 0; width: max-content; }
mtd { padding: 0.15em 0.35em; }
mtd.left { text-align: left; }
mtd.right { text-align: right; }
@media print { body { font-size: 11pt; } .formula { break-inside: avoid; } }
"""
