/* SPDX-License-Identifier: Apache-2.0 */
/* The style sheet of a report's page. Colours of series can be told apart with the usual defects of colour vision, and lines
 * by their dashes too, for paper without colour. */
#ifndef MU_CLI_REPORT_STYLE_H
#define MU_CLI_REPORT_STYLE_H

static const char report_style[] =
    ":root{color-scheme:light dark;--page:#fff;--ink:#1b2330;--soft:#5b6675;--rule:#dde2e9;--band:#f6f8fa;--head:#f0f3f6;"
    "--good:#116b3f;--warn:#8a5300;--bad:#b3261e;--s0:#2f6db5;--s1:#e08214;--s2:#2a9d78;--s3:#b5467f;--s4:#7a5cc0;--s5:#8a6d1f;"
    "--s6:#4aa3c7;--s7:#6b7480}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#14181f;--ink:#e4e8ee;--soft:#9aa5b4;--rule:#323a46;--band:#1a1f28;--head:#212833;"
    "--good:#5fca93;--warn:#e9b04e;--bad:#ff8a80;--s0:#6ea8ea;--s1:#f2a04a;--s2:#4fc79f;--s3:#e482b5;--s4:#ad94ee;--s5:#cfae52;--s6:#7cc8e6;"
    "--s7:#a3acb8}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 \"Inter\",\"Segoe UI\",\"Helvetica Neue\",\"Liberation Sans\",Arial,sans-serif}\n"
    "main{max-width:1240px;margin:0 auto;padding:36px 32px 28px}\n"
    "h1{margin:0;font-size:27px;line-height:1.25;font-weight:650;letter-spacing:-.01em}\n"
    ".question{margin:8px 0 0;max-width:96ch;font-size:16px;color:var(--soft)}\n"
    "dl{display:flex;flex-wrap:wrap;gap:10px 36px;margin:22px 0 26px;padding:13px 0;border:solid var(--rule);border-width:1px 0}\n"
    "dt{font-size:12px;color:var(--soft)}\ndd{margin:0;font-weight:600;font-variant-numeric:tabular-nums}\n"
    "dd small{display:block;max-width:34ch;font-weight:400;font-size:12px;line-height:1.35;color:var(--soft)}\n"
    "figure{margin:0 0 26px;padding:16px 18px 10px;border:1px solid var(--rule);border-radius:8px;break-inside:avoid}\n"
    "figcaption{margin-bottom:8px;font-weight:600}\nsvg{display:block;width:100%;height:auto}\n"
    "svg text{font-size:12px;fill:var(--soft);font-variant-numeric:tabular-nums}\nsvg .value{fill:var(--ink)}\n"
    ".grid{stroke:var(--rule);fill:none}\n.axis{stroke:var(--soft);fill:none}\n.line{fill:none;stroke-width:2;stroke-linejoin:round}\n"
    ".bar,.dot{stroke:none}\n"
    ".s0{fill:var(--s0);stroke:var(--s0)}.s1{fill:var(--s1);stroke:var(--s1)}.s2{fill:var(--s2);stroke:var(--s2)}"
    ".s3{fill:var(--s3);stroke:var(--s3)}.s4{fill:var(--s4);stroke:var(--s4)}.s5{fill:var(--s5);stroke:var(--s5)}"
    ".s6{fill:var(--s6);stroke:var(--s6)}.s7{fill:var(--s7);stroke:var(--s7)}\n"
    "path.line{fill:none}rect.bar,circle.dot{stroke:none}\n"
    ".line.s1{stroke-dasharray:7 3}.line.s2{stroke-dasharray:2 3}.line.s3{stroke-dasharray:9 3 2 3}.line.s4{stroke-dasharray:12 4}"
    ".line.s5{stroke-dasharray:4 4}.line.s6{stroke-dasharray:1 2}.line.s7{stroke-dasharray:9 3 2 3 2 3}\n"
    ".wide{overflow-x:auto;border:1px solid var(--rule);border-radius:8px}\n"
    "table{width:100%;border-collapse:collapse;font-size:13.5px;line-height:1.4}\n"
    "th{padding:9px 12px;background:var(--head);text-align:left;vertical-align:bottom;font-size:12.5px;font-weight:600;color:var(--soft);"
    "border-bottom:1px solid var(--rule)}\n"
    "td{padding:7px 12px;vertical-align:top;border-bottom:1px solid var(--rule);overflow-wrap:break-word;max-width:46ch;unicode-bidi:isolate}\n"
    "tr:last-child td{border-bottom:0}\ntbody tr:nth-child(even){background:var(--band)}\n"
    ".n{text-align:right;font-variant-numeric:tabular-nums}td.n{white-space:nowrap}\n.t{white-space:nowrap;font-variant-numeric:tabular-nums}\n"
    ".i{font:11.5px/1.6 ui-monospace,\"SF Mono\",\"Liberation Mono\",monospace;white-space:nowrap}\n"
    ".l{min-width:26ch}\n.w{font-weight:600;white-space:nowrap}\n.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}\n"
    ".good::before,.warn::before,.bad::before{content:\"\";display:inline-block;width:8px;height:8px;margin-right:7px;background:currentColor}\n"
    ".good::before{border-radius:50%}.bad::before{transform:rotate(45deg)}\n"
    ".none{margin:0;padding:26px;text-align:center;color:var(--soft)}\n.note{margin:8px 2px;font-size:13px;color:var(--soft)}\n"
    "footer{display:flex;flex-wrap:wrap;justify-content:space-between;gap:4px 24px;margin-top:18px;font-size:12.5px;color:var(--soft)}\n"
    "@media print{@page{size:A4 landscape;margin:14mm}:root{color-scheme:light;--page:#fff;--ink:#000;--soft:#444;--rule:#bbb;--band:#fff;--head:#eee;"
    "--good:#116b3f;--warn:#8a5300;--bad:#b3261e;--s0:#2f6db5;--s1:#e08214;--s2:#2a9d78;--s3:#b5467f;--s4:#7a5cc0;--s5:#8a6d1f;--s6:#4aa3c7;"
    "--s7:#6b7480}body{font-size:11px}main{max-width:none;padding:0}table{font-size:9.5px}td,th{padding:3px 6px}.l{min-width:18ch}.i{font-size:7.5px;white-space:normal;overflow-wrap:anywhere}h1{font-size:20px}.question{font-size:12px}dl{margin:10px 0 14px;padding:8px 0}figure{margin-bottom:14px;padding:8px 10px 4px}.wide{overflow:visible;"
    "border:0}thead{display:table-header-group}tr{break-inside:avoid}.bar,th,.good::before,.warn::before,.bad::before{print-color-adjust:exact;"
    "-webkit-print-color-adjust:exact}}\n";

#endif
