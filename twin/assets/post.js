// Posts the page's form as soon as everything in the page, frames included, is there.
window.addEventListener("load", () => document.getElementById("posted").submit());
