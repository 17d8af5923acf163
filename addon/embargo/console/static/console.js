// What JavaScript adds to pages that work without it. Each module looks for its own elements.
import "./complete.js";
import "./display.js";
import "./keys.js";
import "./pops.js";
import "./tail.js";
