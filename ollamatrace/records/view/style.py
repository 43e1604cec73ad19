"""How a trace looks in a notebook: the page's own text colour and fonts, light or dark."""

from __future__ import annotations

from typing import Final

# Everything hangs below one class, so that nothing else on the page changes. Lines and grounds
# are transparent greys, which go with any page; accents have a second set for dark ones.
STYLE: Final = """\
.ollamatrace{--ot-line:rgba(128,128,128,.28);--ot-ground:rgba(128,128,128,.09);
--ot-model:#3b6fd4;--ot-tool:#0f8a6d;--ot-other:#7d8590;--ot-ok:#1a7f4b;--ot-bad:#cf2f3d;
--ot-warn:#a05a00;--ot-user:#0b7a99;--ot-system:#8a4bb8;--ot-wait:rgba(255,255,255,.55);
font:13px/1.5 var(--jp-ui-font-family,var(--vscode-font-family,system-ui,sans-serif));
max-width:68em;text-align:left}
[data-jp-theme-light="false"] .ollamatrace,.vscode-dark .ollamatrace,
.vscode-high-contrast:not(.vscode-high-contrast-light) .ollamatrace,[theme="dark"] .ollamatrace,
[data-theme="dark"] .ollamatrace{
--ot-model:#7aa7ff;--ot-tool:#45c9a5;--ot-other:#8f98a3;--ot-ok:#4cc38a;--ot-bad:#ff7b83;
--ot-warn:#e3a348;--ot-user:#58c3e0;--ot-system:#c594ec;--ot-wait:rgba(0,0,0,.5)}
.ollamatrace .mono{font:12px/1.5
var(--jp-code-font-family,var(--vscode-editor-font-family,ui-monospace,monospace))}
.ollamatrace .head{padding:2px 0 6px}
.ollamatrace .head b{font-size:15px;margin-right:.6em}
.ollamatrace .head .mono{user-select:all}
.ollamatrace .quiet{opacity:.68}
.ollamatrace .badge{display:inline-block;font-size:10.5px;font-weight:600;line-height:1.4;
vertical-align:1px;padding:0 .55em;border:1px solid currentColor;border-radius:.8em;
color:var(--ot-warn)}
.ollamatrace .badge.ok{color:var(--ot-ok)}.ollamatrace .badge.bad{color:var(--ot-bad)}
.ollamatrace .spans{border-top:1px solid var(--ot-line)}
.ollamatrace details.span{border-bottom:1px solid var(--ot-line);margin:0;padding:0}
.ollamatrace summary{cursor:pointer}
.ollamatrace details.span>summary{display:grid;align-items:center;column-gap:1em;
grid-template-columns:minmax(9em,5fr) minmax(5em,6fr) 5em 8em;padding:4px 6px;list-style:none}
.ollamatrace details.span>summary::-webkit-details-marker{display:none}
.ollamatrace details.span>summary:hover,.ollamatrace details.span[open]>summary{
background:var(--ot-ground)}
.ollamatrace .name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.ollamatrace details.span>summary .name::before{content:"\\25b8";display:inline-block;
width:1.1em;opacity:.55}
.ollamatrace details.span[open]>summary .name::before{content:"\\25be"}
.ollamatrace .name b,.ollamatrace .name .badge{margin-right:.5em}
.ollamatrace .name b{font-weight:600}
.ollamatrace .track{position:relative;height:9px;border-radius:3px;background:var(--ot-ground)}
.ollamatrace .bar{position:absolute;top:0;bottom:0;min-width:3px;border-radius:3px;
overflow:hidden;background:var(--ot-other)}
.ollamatrace .bar.model{background:var(--ot-model)}
.ollamatrace .bar.tool{background:var(--ot-tool)}
.ollamatrace .bar.bad{background:var(--ot-bad)}.ollamatrace .bar.warn{background:var(--ot-warn)}
.ollamatrace .wait{position:absolute;left:0;top:0;bottom:0;background:var(--ot-wait)}
.ollamatrace .number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.ollamatrace .body{padding:4px 6px 10px 1.5em}
.ollamatrace .row{display:grid;grid-template-columns:7.5em minmax(0,1fr);column-gap:1em;
margin:5px 0}
.ollamatrace .label{font-weight:600;overflow-wrap:anywhere}
.ollamatrace .text{white-space:pre-wrap;overflow-wrap:anywhere;max-height:24em;overflow:auto}
.ollamatrace .row.user>.label{color:var(--ot-user)}
.ollamatrace .row.model>.label{color:var(--ot-model)}
.ollamatrace .row.tool>.label{color:var(--ot-tool)}
.ollamatrace .row.system>.label{color:var(--ot-system)}
.ollamatrace .row.bad>.label,.ollamatrace .row.bad>.text{color:var(--ot-bad)}
.ollamatrace .row.warn>.label,.ollamatrace .row.warn>.text{color:var(--ot-warn)}
.ollamatrace .row.thought>.text{font-style:italic;opacity:.75}
.ollamatrace .row.thought>.label,.ollamatrace .row.plain>.label{font-weight:400;opacity:.68}
.ollamatrace .rest{padding:6px;opacity:.68}
.ollamatrace .cut{opacity:.6;font-style:italic}
.ollamatrace img{display:block;max-width:20em;max-height:16em;margin:4px 0;border-radius:4px}
.ollamatrace .more{margin:6px 0 0}
.ollamatrace .more>summary{opacity:.68;list-style-position:inside}
.ollamatrace table.traces{border-collapse:collapse;margin:0;font-size:13px;table-layout:auto}
.ollamatrace table.traces th,.ollamatrace table.traces td{padding:3px 12px 3px 0;text-align:left;
vertical-align:baseline;white-space:nowrap;border:0;border-bottom:1px solid var(--ot-line)}
.ollamatrace table.traces th.number,.ollamatrace table.traces td.number{text-align:right}
.ollamatrace table.traces td.wide{white-space:normal;overflow-wrap:anywhere;min-width:7em}
"""
